"""`sutazai run`: agents in one process."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agents.cli.agents_by_path import agent_by_path
from agents.cli.chosen_agents import chosen_agents
from agents.cli.options import AmqpUrl, Config, LogLevel, Prefix
from agents.cli.selection import All, Categories, Selection, Tiers
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.host import Host
from agents.core.pages.host_pages import open_pages
from agents.core.process import run_process
from agents.core.settings import SettingsError, load_settings
from agents.core.tracing.traced import traced


def run(
    agents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="AGENT",
            help="Names, patterns of names, MODULE:CLASS, or Markdown and Python files. They come on top of those that "
            "--category and --tier choose, which narrow each other.",
        ),
    ] = None,
    legacy: Annotated[
        list[Path] | None,
        typer.Option(
            "--legacy", metavar="PATH", help="An agent of the first generation: its file or folder; repeatable."
        ),
    ] = None,
    everything: All = False,
    category: Categories = None,
    tier: Tiers = None,
    amqp_url: AmqpUrl = None,
    ollama_url: Annotated[
        str | None, typer.Option("--ollama-url", metavar="URL", help="Default: OLLAMA_URL, else localhost:11434.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Tasks of each agent at once: the prefetch. Default 3.")
    ] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Requests at the model server at once, for all agents. Default 2.")
    ] = None,
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds that running tasks get after Ctrl-C. Default 30.")
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Serve /healthz, /readyz and /metrics here; 0 for a free one."
        ),
    ] = None,
    health_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to serve them. Default 127.0.0.1; 0.0.0.0 for all.")
    ] = None,
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
