"""`sutazai run`: agents in one process."""

from typing import Annotated

import typer

from agents.cli.chosen_agents import chosen_agents
from agents.cli.options import AmqpUrl, Config, LogLevel, Prefix
from agents.core.host import Host
from agents.core.process import run_process
from agents.core.settings import load_settings


def run(
    agents: Annotated[list[str], typer.Argument(metavar="AGENT...", help="Names, MODULE:CLASS, or Markdown files.")],
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
    prefix: Prefix = None,
    config: Config = None,
    log_level: LogLevel = None,
) -> None:
    """Run agents until Ctrl-C. What runs then may end, the rest goes back to its queue; a second Ctrl-C ends at once.

    Examples:
      sutazai run senior-engineer product-manager

      sutazai run my_package.my_agent:MyAgent ./agents/translator.md --slots 1
    """
    settings = load_settings(
        config,
        amqp_url=amqp_url,
        ollama_url=ollama_url,
        max_concurrent_tasks=concurrency,
        max_ollama_connections=slots,
        grace_period=grace,
        prefix=prefix,
        log_level=log_level,
    )
    staff = chosen_agents(agents, settings, config_path=config, max_concurrent_tasks=concurrency)

    async def serve() -> None:
        async with Host(staff, settings) as host:
            await host.serve()

    run_process(serve, settings.log_level)
