"""`sutazai top`: the fleet, live."""

import asyncio
import os
import sys
from typing import Annotated, Final

import typer

from agents.cli.console import out
from agents.cli.options import AmqpUrl, Config, Connected, Prefix, connected
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process, stopping_on_signals
from agents.top.plain import tell_lines
from agents.top.watch import INTERVAL_SECONDS
from bus.client import Client
from bus.connect import MEMORY_SCHEME
from bus.ending import end_tasks

SUMMARY_SECONDS: Final = 30.0
"""Between two summaries in lines, which are kept longer than a screen."""


def top(
    plain: Annotated[bool, typer.Option("--plain", help="Lines, as where there is no terminal.")] = False,
    interval: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            metavar="SECONDS",
            help="Between two rounds of questions to hosts and queues on a screen, between two summaries in lines, "
            "where the questions come every 5 s at least. Default: 5 on a screen, 30 in lines.",
            show_default=False,
        ),
    ] = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Watch the fleet: agents, model servers, hosts, queues and results, as they change; `?` shows the keys.

    Off a terminal, one line for each change of a breaker, a consumer or a host, and for each result.
    Ctrl-C and q end it. It changes nothing unless told to: pause or resume an agent, or do a dead letter again.

    Examples:
      sutazai top

      sutazai top --plain --interval 60 >> fleet.log
    """
    chosen = connected("top", config, amqp_url=amqp_url, prefix=prefix)
    if chosen.settings.amqp_url.startswith(MEMORY_SCHEME):
        raise typer.BadParameter(
            f"{chosen.settings.amqp_url} is within one process, where no other can look: give --amqp-url or set "
            "AMQP_URL to the fleet's RabbitMQ"
        )
    is_plain = plain or not _has_screen()
    # A log line would be drawn across the screen, which tells of what is wrong itself.
    run_process(lambda: _show(chosen, interval, is_plain=is_plain), "error" if is_plain else "critical")


async def _show(chosen: Connected, interval: float | None, *, is_plain: bool) -> None:
    stop = asyncio.Event()
    async with chosen.broker as broker:
        client = Client(broker, chosen.settings.topology)
        with stopping_on_signals(stop.set):
            if is_plain:
                code = await _in_lines(client, interval or SUMMARY_SECONDS, stop)
            else:
                from agents.top.full_screen import show_screen  # noqa: PLC0415 - Textual takes 0.3 s to import

                code = await show_screen(client, interval or INTERVAL_SECONDS, stop)
    if code:
        raise typer.Exit(code)


async def _in_lines(client: Client, interval: float, stop: asyncio.Event) -> int:
    telling = asyncio.create_task(tell_lines(client, interval, _write), name="top:lines")
    stopped = asyncio.create_task(stop.wait(), name="top:stop")
    try:
        await asyncio.wait((telling, stopped), return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            await telling
        return ExitCode.INTERRUPTED
    finally:
        await end_tasks((telling, stopped))


def _write(line: str) -> None:
    out.print(line, markup=False)


def _has_screen() -> bool:
    return sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM") != "dumb"
