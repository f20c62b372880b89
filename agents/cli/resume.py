"""`sutazai resume`: agents that were paused take tasks again."""

from typing import Annotated

import typer

from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.orders import Agents, Answer, OneHost, carried_out, named_agents, orders_of
from agents.core.operator_pause import has_resumed
from agents.core.process import run_process
from schemas import AgentReport, Report, ResumeAgents


def resume(
    agents: Agents = None,
    everything: Annotated[bool, typer.Option("--all", help="All agents.")] = False,
    host: OneHost = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """End what `sutazai pause` began. An agent whose model server is away stays paused until that is back.

    Prints who has obeyed, also where nothing was paused; code 7: not all of those that are connected
    within 10 s, or nobody within 2.

    Examples:
      sutazai resume senior-engineer

      sutazai resume --all
    """
    names = named_agents("resume", agents, everything=everything)
    orders = orders_of(lambda name: ResumeAgents(agent=name, host=host), names)
    chosen = connected("resume", config, amqp_url=amqp_url, prefix=prefix)

    def answer_of(report: Report) -> Answer | None:
        if not isinstance(report, AgentReport) or host not in (None, report.host) or not has_resumed(report):
            return None
        note = f"still {report.consumer}: {report.reason}" if report.reason else ""
        return Answer(report.agent, report.host, note)

    run_process(lambda: carried_out(chosen, orders, agents or (), answer_of, "resumed"), "error")
