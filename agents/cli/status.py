"""`sutazai status`: what a fleet does at the moment."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection
from typing import Annotated, Final

import typer

from agents.cli.console import err, out, write
from agents.cli.fleet_picture import FleetPicture
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_status import status_of
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from bus.client import Client
from schemas import Report

PATIENCE_SECONDS: Final = 1.5
"""A host answers within 1.2 s: it does so once a second at most, and not at the same moment as all others."""


def status(
    hosts: Annotated[
        list[str] | None, typer.Option("--host", metavar="NAME", help="Only these hosts; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON: the reports, and the queues.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Ask all hosts what they do, and show what they answer within 1.5 s.

    Of the agents, those that hold tasks or take none; of their queues, those where tasks wait.
    Exit code 7: no host answers, or not all that are named.

    Examples:
      sutazai status

      sutazai status --json --host vm-1
    """
    wanted = list(dict.fromkeys(hosts or ()))
    chosen = connected("status", config, amqp_url=amqp_url, prefix=prefix)

    async def show() -> None:
        async with chosen.broker as broker:
            picture = await _look(Client(broker, chosen.settings.topology), wanted)
        _tell(picture, as_json=as_json)
        _must_have_answered(picture, wanted)

    run_process(show, "error")


async def _look(client: Client, wanted: Collection[str]) -> FleetPicture:
    picture = FleetPicture()
    async with client.reports() as reports:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _collect(reports, picture, wanted)
    agents = sorted({report.agent for report in picture.agents.values()})
    queues = await asyncio.gather(*(client.broker.queue_info(client.topology.task_queue(agent)) for agent in agents))
    picture.queues = {agent: queue for agent, queue in zip(agents, queues, strict=True) if queue is not None}
    return picture


async def _collect(reports: AsyncIterator[Report], picture: FleetPicture, wanted: Collection[str]) -> None:
    """Take in the reports of the hosts that are wanted, of all where none is; return once those have told all."""
    async for report in reports:
        if not wanted or report.host in wanted:
            picture.add(report)
        if picture.knows_all_of(wanted):
            return


def _tell(picture: FleetPicture, *, as_json: bool) -> None:
    if as_json:
        write(f"{json.dumps(picture.as_json())}\n")
    elif picture.hosts:
        for part in status_of(picture):
            out.print(part, soft_wrap=False)


def _must_have_answered(picture: FleetPicture, wanted: Collection[str]) -> None:
    silent = [host for host in wanted if host not in picture.hosts]
    if silent or not picture.hosts:
        who = ", ".join(silent) or "no host"
        denied = "has not" if silent else "has"
        err.print(
            f"error: {who} {denied} answered within {PATIENCE_SECONDS:g} s: start one with `sutazai run`, or check the "
            "broker's address and the prefix",
            markup=False,
        )
        raise typer.Exit(ExitCode.TIMED_OUT)
