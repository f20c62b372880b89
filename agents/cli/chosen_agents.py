"""From what was typed to agents: a name of the catalogue, a Markdown file, a Python file, or MODULE:CLASS."""

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.cli.agents_by_path import agent_by_path, instance_of, is_path
from agents.cli.known_catalog import file_of, known_catalog
from agents.cli.selection import AgentNotFoundError, Selection
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.catalog import Catalog
from agents.core.markdown_agent import MarkdownAgent
from agents.core.settings import Settings


def chosen_agents(selection: Selection, settings: Settings, **arguments: Any) -> list[BaseAgentV2]:
    """Make the agents that were chosen. `arguments` are those of BaseAgentV2.

    Raises:
        AgentNotFoundError: a name, a module or a class does not exist, or the class is no agent.
        AgentFileError: a Markdown file that was chosen is no agent.
    """
    catalog = known_catalog(settings)
    return [_agent(text, catalog, arguments) for text in selection.names(catalog.agents)]


def models_of(selection: Selection, settings: Settings) -> list[tuple[str, str]]:
    """Return name and model of the agents that were chosen, by the settings. Raises as `chosen_agents`."""
    catalog = known_catalog(settings)
    pairs = list[tuple[str, str]]()
    for text in selection.names(catalog.agents):
        if is_path(text) or _is_class(text):
            agent = _agent(text, catalog, {"config_path": None})
            pairs.append((agent.name, agent.model))
        else:
            file = file_of(text, catalog)
            pairs.append((file.name, file.model or settings.tiers[file.tier].model))
    return pairs


def _is_class(text: str) -> bool:
    return ":" in text and not text.endswith(".md")


def _agent(text: str, catalog: Catalog, arguments: Mapping[str, Any]) -> BaseAgentV2:
    if is_path(text):
        return agent_by_path(Path(text), arguments)
    if _is_class(text):
        return instance_of(_agent_class(text), arguments)
    return MarkdownAgent(file_of(text, catalog), **arguments)


def _agent_class(text: str) -> type[BaseAgentV2]:
    module_name, _, class_name = text.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise AgentNotFoundError(f"{text!r} is no MODULE:CLASS: write it like my_package.my_agent:MyAgent")
    # As `python -m` does, and for good: a program's own modules lie where it is started, also what it imports late.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise AgentNotFoundError(
            f"no module {error.name!r} for {text!r}: run this in the folder that holds it"
        ) from error
    found = getattr(module, class_name, None)
    if not (inspect.isclass(found) and issubclass(found, BaseAgentV2)):
        raise AgentNotFoundError(f"{class_name!r} in module {module_name!r} is no subclass of BaseAgentV2")
    return found
