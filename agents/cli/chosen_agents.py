"""From what was typed to agents: a name of the catalogue, a Markdown file, or MODULE:CLASS."""

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.catalog import CATALOG, AgentFile, load_catalog, read_agent_file
from agents.core.markdown_agent import MarkdownAgent
from agents.core.settings import Settings, SettingsError


class AgentNotFoundError(SettingsError):
    """What was typed names no agent. The text says what would."""


def chosen_agents(typed: Sequence[str], settings: Settings, **arguments: Any) -> list[BaseAgentV2]:
    """Make the agents that were typed. `arguments` are those of BaseAgentV2.

    Raises:
        AgentNotFoundError: a name, a module or a class does not exist, or the class is no agent.
        AgentFileError: a Markdown file is no agent.
    """
    catalog = load_catalog((*settings.agents_path, CATALOG))
    return [_agent(text, catalog, arguments) for text in typed]


def _agent(text: str, catalog: Mapping[str, AgentFile], arguments: Mapping[str, Any]) -> BaseAgentV2:
    if text.endswith(".md"):
        return MarkdownAgent(read_agent_file(Path(text)), **arguments)
    if ":" in text:
        return _instance(_agent_class(text), arguments)
    if text not in catalog:
        close = get_close_matches(text, catalog, n=3)
        meant = f"did you mean {' or '.join(close)}?" if close else f"the catalogue has {', '.join(sorted(catalog))}."
        raise AgentNotFoundError(f"no agent {text!r}: {meant} A class of yours is MODULE:CLASS, a file ends in .md")
    return MarkdownAgent(catalog[text], **arguments)


def _instance(chosen: type[BaseAgentV2], arguments: Mapping[str, Any]) -> BaseAgentV2:
    try:
        inspect.signature(chosen).bind(**arguments)
    except TypeError as error:
        names = ", ".join(arguments)
        raise AgentNotFoundError(
            f"{chosen.__name__} cannot be made here ({error}): let its __init__ take {names} for BaseAgentV2"
        ) from None
    return chosen(**arguments)


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
