"""`sutazai status`: what a fleet does at the moment."""

from collections.abc import Collection, Mapping
from typing import Annotated

import typer

from agents.cli.console import err, out, write
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_status import json_of, status_of
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from agents.fleet.fleet import Fleet
from agents.fleet.hearing import PATIENCE_SECONDS, hear
from bus.broker import QueueInfo
from bus.client import Client
from bus.queue_infos import queue_infos
from schemas import AgentReport, HostReport


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
            client, fleet = Client(broker, chosen.settings.topology), Fleet()
            await hear(client, fleet, wanted)
            queues = await _queues(client, fleet)
        _tell(fleet, queues, as_json=as_json)
        _must_have_answered(fleet, wanted)

    run_process(show, "error")


async def _queues(client: Client, fleet: Fleet) -> dict[str, QueueInfo]:
    agents = sorted({report.agent for report in fleet.reports(AgentReport)})
    queues = {agent: client.topology.task_queue(agent) for agent in agents}
    found = await queue_infos(client.broker, list(queues.values()))
    return {agent: found[queue] for agent, queue in queues.items() if queue in found}


def _tell(fleet: Fleet, queues: Mapping[str, QueueInfo], *, as_json: bool) -> None:
    if as_json:
        write(f"{json_of(fleet, queues)}\n")
    elif fleet.reports(HostReport):
        for part in status_of(fleet, queues):
            out.print(part, soft_wrap=False)


def _must_have_answered(fleet: Fleet, wanted: Collection[str]) -> None:
    hosts = {report.host for report in fleet.reports(HostReport)}
    silent = [host for host in wanted if host not in hosts]
    if silent or not hosts:
        who = ", ".join(silent) or "no host"
        denied = "has not" if silent else "has"
        err.print(
            f"error: {who} {denied} answered within {PATIENCE_SECONDS:g} s: start one with `sutazai run`, or check the "
            "broker's address and the prefix",
            markup=False,
        )
        raise typer.Exit(ExitCode.TIMED_OUT)
