"""`sutazai results`: terminal results as they come, and those of the past."""

from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from agents.cli.console import err, out
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_results import lines_of
from agents.cli.since import moment_text, since_of
from agents.core.process import run_process
from bus.client import Client
from bus.result_log import SeenTasks
from schemas import TaskResult, TaskStatus

SinceText = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Print what came since then, and end: 90s, 30m, 1h or 2d ago, or an RFC 3339 time."
    ),
]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which results to print, and how."""

    agent: str | None
    status: TaskStatus | None
    since: datetime | None
    as_json: bool


def results(
    since: SinceText = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    agent: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    status: Annotated[TaskStatus | None, typer.Option(help="Only these.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the whole result.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Wait for the next result and print it; with --follow all that come from now on, with --since those of the past.

    Examples:
      sutazai results --follow

      sutazai results --since 1h --status failed

      sutazai results --follow --status failed --json | jq .error
    """
    choice = _Choice(agent, status, _moment_of(since), as_json)
    chosen = connected("results", config, amqp_url=amqp_url, prefix=prefix)

    async def show() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            if follow or since is None:
                await _listen(client, choice, follow=follow)
            else:
                await _look_back(client, choice, SeenTasks())

    run_process(show, "warning")


def _moment_of(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        return since_of(since, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(f"--since {error}") from error


async def _look_back(client: Client, choice: _Choice, seen: SeenTasks) -> None:
    if choice.since is None:
        return
    shown = 0
    async with aclosing(client.replay(choice.since, agent=choice.agent, status=choice.status)) as past:
        async for result in past:
            seen.remember(result)
            _show(result, choice)
            shown += 1
    err.print(f"results since {moment_text(choice.since)}: {shown}", style="dim")


async def _listen(client: Client, choice: _Choice, *, follow: bool) -> None:
    # Before the look back: what comes meanwhile waits in the listener's queue, and what is in both is shown once.
    async with client.results(agent=choice.agent, status=choice.status) as coming:
        err.print(f"listening to {client.broker.description}; Ctrl-C ends", style="dim")
        seen = SeenTasks()
        await _look_back(client, choice, seen)
        async for result in coming:
            if seen.remember(result):
                _show(result, choice)
            if not follow:
                break


def _show(result: TaskResult, choice: _Choice) -> None:
    if choice.as_json:
        out.print(result.model_dump_json(), markup=False)
        return
    for line in lines_of(result, out.width if out.is_terminal else None):
        out.print(line)
