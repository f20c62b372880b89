"""`sutazai status`: what a fleet does at the moment."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Final

import typer

from agents.cli.console import err, out, write
from agents.cli.last_words import last_words
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_status import Seen, json_of, status_of
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from agents.fleet.fleet import Fleet
from agents.fleet.hearing import PATIENCE_SECONDS, hear
from agents.fleet.queues import count_queues
from bus.client import Client
from schemas import AgentReport, HostReport

NAMED: Final = 4
"""Agents that nobody serves, as the error lists them: the table has all."""


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

    First what waits for agents that no host has: those of the last eight days are known by the control log.
    Of the others, those that hold tasks or take none; of their queues, those with tasks or dead letters.
    Exit code 7: no host answers, or not all that are named, or none for an agent whose tasks wait.

    Examples:
      sutazai status

      sutazai status --json --host vm-1
    """
    wanted = list(dict.fromkeys(hosts or ()))
    chosen = connected("status", config, amqp_url=amqp_url, prefix=prefix)

    async def show() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            seen = await _seen(client, wanted)
        _tell(seen, as_json=as_json)
        _must_have_answered(seen, wanted)

    run_process(show, "error")


async def _seen(client: Client, wanted: Sequence[str]) -> Seen:
    """Ask the hosts that are wanted, and look at the queues of their agents; where none is, at those of all."""
    fleet = Fleet()
    _, words = await asyncio.gather(hear(client, fleet, wanted), last_words(client.broker, client.topology))
    told = {report.agent for report in fleet.reports(AgentReport)}
    agents = sorted(told if wanted else told.union(words.homes))
    return Seen(fleet, await count_queues(client.broker, client.topology, agents), words)


def _tell(seen: Seen, *, as_json: bool) -> None:
    if as_json:
        write(f"{json_of(seen)}\n")
    else:
        for part in status_of(seen):
            out.print(part, soft_wrap=False)


def _must_have_answered(seen: Seen, wanted: Collection[str]) -> None:
    complaint = _silence(seen, wanted) or _unserved(seen.unserved)
    if complaint:
        err.print(f"error: {complaint}", markup=False)
        raise typer.Exit(ExitCode.TIMED_OUT)


def _silence(seen: Seen, wanted: Collection[str]) -> str:
    hosts = {report.host for report in seen.fleet.reports(HostReport)}
    silent = [host for host in wanted if host not in hosts]
    if hosts and not silent:
        return ""
    denied = f"{', '.join(silent)} has not" if silent else "no host has"
    return (
        f"{denied} answered within {PATIENCE_SECONDS:g} s: start one with `sutazai run`, or check the broker's address "
        "and the prefix"
    )


def _unserved(agents: Sequence[str]) -> str:
    if not agents:
        return ""
    rest = f" and {len(agents) - NAMED} more" if len(agents) > NAMED else ""
    return (
        f"tasks wait for {', '.join(agents[:NAMED])}{rest}, and no host has answered that has it: start one with "
        f"`sutazai run {' '.join(agents[:NAMED])}`"
    )
