"""`sutazai pause`: agents take no more tasks until they are resumed."""

from typing import Annotated

import typer

from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.orders import Agents, Answer, OneHost, carried_out, named_agents, orders_of
from agents.core.operator_pause import has_paused
from agents.core.process import run_process
from schemas import AgentReport, PauseAgents, Report


def pause(
    agents: Agents = None,
    everything: Annotated[bool, typer.Option("--all", help="All agents.")] = False,
    host: OneHost = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Told in reports and logs.")] = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Pause agents: they take no more tasks until `sutazai resume`. What runs goes on, and no task is lost or tried.

    What has not begun goes back to its queue. The pause holds for the hosts that run, also through an outage of the
    model server; a host that starts later does not know of it. Prints who has obeyed; code 7: not all
    of those that are connected within 10 s, or nobody within 2.

    Examples:
      sutazai pause senior-engineer --reason "new model tonight"

      sutazai pause --all --host vm-1
    """
    names = named_agents("pause", agents, everything=everything)
    orders = orders_of(lambda name: PauseAgents(agent=name, host=host, reason=reason), names)
    chosen = connected("pause", config, amqp_url=amqp_url, prefix=prefix)

    def answer_of(report: Report) -> Answer | None:
        if isinstance(report, AgentReport) and host in (None, report.host) and has_paused(report):
            return Answer(report.agent, report.host)
        return None

    run_process(lambda: carried_out(chosen, orders, agents or (), answer_of, "paused"), "error")
