"""`sutazai exporter`: one Prometheus endpoint for the whole fleet."""

import asyncio
from typing import Annotated, Final

import typer

from agents.cli.console import out
from agents.cli.options import AmqpUrl, Config, LogLevel, Prefix, connected
from agents.core.pages.server import PageServer
from agents.core.process import run_process, stopping_on_signals
from agents.exporter.extra import require_extra
from bus.client import Client

PORT: Final = 9464
"""The one that OpenTelemetry's exporters to Prometheus have by default."""


def exporter(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = PORT,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
    log_level: LogLevel = None,
) -> None:
    """Serve what all hosts report, and the results of their tasks, to Prometheus. Needs the extra `exporter`.

    One is enough for the fleet. Metrics, alert rules and a dashboard are in docs/metrics.md.

    Examples:
      sutazai exporter

      sutazai exporter --host 0.0.0.0 --port 9464
    """
    require_extra()
    chosen = connected("exporter", config, amqp_url=amqp_url, prefix=prefix, log_level=log_level)
    settings = chosen.settings

    async def serve() -> None:
        from agents.exporter.exporter import Exporter  # noqa: PLC0415 - an extra
        from agents.exporter.pages import PATIENCE_SECONDS, pages_of  # noqa: PLC0415 - an extra

        stop, broker = asyncio.Event(), chosen.broker
        listening = Exporter(Client(broker, settings.topology), interval=settings.health_check_interval)
        pages, options = pages_of(listening), "--host and --port"
        async with (
            # First: a port that is taken is to be known before anybody is bothered.
            PageServer(pages, host, port, patience=PATIENCE_SECONDS, options=options) as server,
            broker,
            listening,
        ):
            with stopping_on_signals(stop.set):
                out.print(f"metrics of {broker.description} are at {server.url}/metrics; Ctrl-C ends")
                await listening.until(stop)

    run_process(serve, settings.log_level, settings.log_format)
