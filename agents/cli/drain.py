"""`sutazai drain`: a host ends in order."""

from typing import Annotated

import typer

from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.orders import Answer, carried_out
from agents.core.host_stage import LEAVING
from agents.core.process import run_process
from schemas import DrainHost, HostReport, Report


def drain(
    host: Annotated[str, typer.Option(metavar="NAME", help="Its name, as reports and connections show it.")],
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Told in the host's log.")] = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """End a host as SIGTERM does: it takes no more, what runs may end within its grace period, the rest goes back.

    Its process ends with exit code 0. Processes that share the name all end; one that ends already has obeyed.
    Code 7: no such host has answered within 2 s; one that is connected has 10.

    Example:
      sutazai drain --host vm-1 --reason "kernel update"
    """
    chosen = connected("drain", config, amqp_url=amqp_url, prefix=prefix)

    def answer_of(report: Report) -> Answer | None:
        is_leaving = isinstance(report, HostReport) and report.host == host and report.state in LEAVING
        return Answer(host) if is_leaving else None

    orders = [DrainHost(host=host, reason=reason)]
    run_process(lambda: carried_out(chosen, orders, [host], answer_of, "draining"), "error")
