"""`sutazai doctor`: what goes wrong in practice, looked for, with what to do about it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from agents.cli.chosen_agents import chosen_agents
from agents.cli.options import AmqpUrl, Config, Prefix
from agents.cli.selection import All, Categories, Selection, Tiers, unknown_agent
from agents.cli.shown_findings import show
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.catalog import CATALOG, read_catalog
from agents.core.model.addresses import server_addresses
from agents.core.process import run_process
from agents.core.settings import Settings, SettingsError, load_settings
from agents.doctor.broker_look import look_at_broker
from agents.doctor.checks import CHECKS, GENERATION, diagnose
from agents.doctor.facts import BrokerFacts, CheckedAgent, Facts
from agents.doctor.finding import exit_code_of
from agents.doctor.server_look import look_at_servers
from schemas import AGENT_NAME_PATTERN


def doctor(
    agents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="AGENT", help="Names (any that has a queue), patterns, MODULE:CLASS, or files. Default: all."
        ),
    ] = None,
    everything: All = False,
    category: Categories = None,
    tier: Tiers = None,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="CHECK", help=f"Leave out; repeatable: {', '.join(CHECKS)}."),
    ] = None,
    wait: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="For one token of a model.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each finding.")] = False,
    amqp_url: AmqpUrl = None,
    management_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Default: SUTAZAI_MANAGEMENT_URL, else port 15672 of the broker's host."),
    ] = None,
    ollama_url: Annotated[
        str | None, typer.Option("--ollama-url", metavar="URL", help="Default: OLLAMA_URL, else localhost:11434.")
    ] = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Look for what goes wrong in practice, at the broker and at the model servers, and say what to do.

    It changes nothing there. Exit code here: 0 all is well, 1 there are warnings, 2 something is broken.

    Examples:
      sutazai doctor

      sutazai doctor senior-engineer --skip clock --skip generation --json
    """
    settings = load_settings(
        config, amqp_url=amqp_url, management_url=management_url, ollama_url=ollama_url, prefix=prefix
    )
    skipped = _skipped(skip or ())
    chosen = Selection(agents or (), everything, category or (), tier or ())

    async def work() -> None:
        described = _Described(settings, config)
        facts = await _facts(described, chosen, wait, asks=GENERATION not in skipped)
        findings = diagnose(facts, skipped)
        show(findings, as_json=as_json)
        raise typer.Exit(exit_code_of(findings))

    run_process(work, "error")


def _skipped(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in CHECKS:
            raise typer.BadParameter(f"there is no check {name!r}: choose of {', '.join(CHECKS)}")
    return list(names)


class _Described:
    """Agents as the settings and the catalogue have them."""

    def __init__(self, settings: Settings, config: Path | None) -> None:
        self.settings = settings
        self._config = config
        self._catalog = read_catalog((*settings.agents_path, CATALOG))

    def chosen(self, selection: Selection) -> list[CheckedAgent]:
        """Return what was chosen; of an agent that no file here describes, only the name is known."""
        names = selection.names(self._catalog.agents)
        return self._checked([name for name in names if not self._is_strange(name)], filter(self._is_strange, names))

    def known(self, names: Sequence[str]) -> list[CheckedAgent]:
        """Return the agents of these names, whatever they look like."""
        catalog = self._catalog.agents
        return self._checked(
            [name for name in names if name in catalog], (name for name in names if name not in catalog)
        )

    def must_be_there(self, agents: Sequence[CheckedAgent], broker: BrokerFacts) -> None:
        """Raise AgentNotFoundError for an agent that neither a file here nor a queue at the broker knows."""
        for agent in agents if broker.description is not None else ():
            queue = self.settings.topology.task_queue(agent.name)
            if self._is_strange(agent.name) and agent.model is None and broker.queues.get(queue) is None:
                raise unknown_agent(agent.name, self._catalog.agents)

    def _checked(self, described: Sequence[str], strangers: Iterable[str]) -> list[CheckedAgent]:
        agents = chosen_agents(Selection(described), self.settings, config_path=self._config)
        return [*map(_of_agent, agents), *map(CheckedAgent, strangers)]

    def _is_strange(self, name: str) -> bool:
        """Whether this is a name, no path or class, and no file here describes its agent, be it a broken one."""
        broken = {error.path.stem for error in self._catalog.broken}
        return bool(re.fullmatch(AGENT_NAME_PATTERN, name)) and name not in {*self._catalog.agents, *broken}


def _of_agent(agent: BaseAgentV2) -> CheckedAgent:
    choice = agent.models.choice
    return CheckedAgent(agent.name, choice.model, choice.options.get("num_ctx"), agent.task_timeout)


async def _facts(described: _Described, selection: Selection, wait: float, *, asks: bool) -> Facts:
    settings = described.settings
    # A load whose client gives up is aborted, so nothing but `wait` bounds it.
    timeouts = replace(settings.model_timeouts, load=wait, total=wait)
    try:
        addresses = list(server_addresses(settings.ollama_url).values())
    except ValueError as error:
        raise SettingsError(f"setting OLLAMA_URL: {error}") from error
    chosen = None if selection.is_empty else described.chosen(selection)
    broker = await look_at_broker(settings, None if chosen is None else [agent.name for agent in chosen])
    described.must_be_there(chosen or (), broker)
    agents = described.known(broker.agents) if chosen is None else chosen
    return Facts(settings, broker, agents, await look_at_servers(addresses, agents, timeouts, asks=asks))
