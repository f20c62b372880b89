"""`sutazai results`: terminal results as they come."""

from typing import Annotated

import typer
from rich.markup import escape

from agents.cli.console import err, out
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_results import summary_of
from agents.core.process import run_process
from bus.client import Client
from schemas import TaskResult, TaskStatus

_COLOURS = {
    TaskStatus.COMPLETED: "green",
    TaskStatus.FAILED: "red",
    TaskStatus.REJECTED: "red",
    TaskStatus.EXPIRED: "yellow",
    TaskStatus.CANCELLED: "yellow",
}


def results(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C, not only to the next one.")
    ] = False,
    agent: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    status: Annotated[TaskStatus | None, typer.Option(help="Only these.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the whole result.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Wait for the next result and print it; with --follow all that come from now on.

    Examples:
      sutazai results --follow

      sutazai results --follow --status failed --json | jq .error
    """
    chosen = connected("results", config, amqp_url=amqp_url, prefix=prefix)

    async def listen() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            async with client.results(agent=agent, status=status) as found:
                err.print(f"listening to {broker.description}; Ctrl-C ends", style="dim")
                async for result in found:
                    _show(result, as_json=as_json)
                    if not follow:
                        break

    run_process(listen, "warning")


def _show(result: TaskResult, *, as_json: bool) -> None:
    if as_json:
        out.print(result.model_dump_json(), markup=False)
        return
    colour = _COLOURS[result.status]
    out.print(
        f"{result.timestamp:%H:%M:%S} [{colour}]{result.status:<9}[/] {result.agent} [dim]{escape(result.task_id)}[/] "
        f"{result.processing_time:.1f} s  {escape(summary_of(result))}"
    )
