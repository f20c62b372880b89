"""`sutazai run`: agents in one process."""

from collections import Counter
from collections.abc import Sequence

import typer

from agents.cli.agents_by_path import agent_by_path
from agents.cli.chosen_agents import chosen_agents
from agents.cli.options import AmqpUrl, Config, LogLevel, Prefix
from agents.cli.run_options import (
    Agents,
    Concurrency,
    Grace,
    HealthAddress,
    HealthPort,
    LegacyPaths,
    OllamaUrl,
    Slots,
)
from agents.cli.selection import All, Categories, Selection, Tiers
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.host import Host
from agents.core.pages.host_pages import open_pages
from agents.core.process import run_process
from agents.core.settings import SettingsError, load_settings
from agents.core.tracing.traced import traced


def run(
    agents: Agents = None,
    legacy: LegacyPaths = None,
    everything: All = False,
    category: Categories = None,
    tier: Tiers = None,
    amqp_url: AmqpUrl = None,
    ollama_url: OllamaUrl = None,
    concurrency: Concurrency = None,
    slots: Slots = None,
    grace: Grace = None,
    health_port: HealthPort = None,
    health_address: HealthAddress = None,
    prefix: Prefix = None,
    config: Config = None,
    log_level: LogLevel = None,
) -> None:
    """Run agents until Ctrl-C. What runs then may end, the rest goes back to its queue; a second Ctrl-C ends at once.

    Examples:
      sutazai run senior-engineer product-manager

      sutazai run my_package.my_agent:MyAgent ./agents/translator.md --slots 1

      sutazai run "*-optimizer" --category security

      sutazai run --all

      sutazai run --legacy old_agents/code-reviewer --legacy old_agents/translator/app.py
    """
    selection = Selection(agents or (), everything, category or (), tier or ())
    if selection.is_empty and not legacy:
        raise typer.BadParameter("name an agent, or choose with --all, --category or --tier: see sutazai agents list")
    settings = load_settings(
        config,
        amqp_url=amqp_url,
        ollama_url=ollama_url,
        max_concurrent_tasks=concurrency,
        max_ollama_connections=slots,
        grace_period=grace,
        health_port=health_port,
        health_address=health_address,
        prefix=prefix,
        log_level=log_level,
    )
    arguments = {"config_path": config, "max_concurrent_tasks": concurrency}
    staff = chosen_agents(selection, settings, **arguments) if not selection.is_empty else []
    staff += [agent_by_path(path, arguments) for path in legacy or ()]
    _refuse_namesakes(staff)

    async def serve() -> None:
        host = Host(staff, settings)
        with traced(settings, "sutazai"):
            async with open_pages(host), host:
                await host.serve()

    run_process(serve, settings.log_level, settings.log_format)


def _refuse_namesakes(staff: Sequence[BaseAgentV2]) -> None:
    for name, count in Counter(agent.name for agent in staff).items():
        if count > 1:
            raise SettingsError(
                f"{count} of these agents are called {name!r}: give each a name of its own, or choose one"
            )
