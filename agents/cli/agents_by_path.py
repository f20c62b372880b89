"""Agents by the path of their Python file or folder, of either generation."""

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.cli.selection import AgentNotFoundError
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.factory import agent_class_at, name_at
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.loading import AgentLoadError
from agents.core.settings import SettingsError, load_settings


def is_path(text: str) -> bool:
    """Say whether what was typed means a Python file, or a folder with one: `app.py`, `./translator`, `old/`."""
    return text.endswith(".py") or ("/" in text and Path(text).is_dir())


def agent_by_path(path: Path, arguments: Mapping[str, Any]) -> BaseAgentV2:
    """Make the agent of a file, or of the agent.py or app.py in a folder; `arguments` are those of BaseAgentV2.

    One of the second generation calls itself what it does. One of the first is wrapped, and called AGENT_NAME where
    that is set, else as its folder.

    Raises:
        AgentLoadError: there is no agent, or it cannot be loaded or made.
        AgentNotFoundError: its class does not take the arguments.
    """
    chosen = agent_class_at(path)
    if issubclass(chosen, BaseAgentV2):
        return instance_of(chosen, arguments)
    settings_path = arguments.get("config_path")
    name = load_settings(settings_path).agent_name or name_at(path)
    concurrency = arguments.get("max_concurrent_tasks")
    try:
        return LegacyAgentWrapper(chosen, name=name, max_concurrent_tasks=concurrency, settings_path=settings_path)
    except SettingsError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise AgentLoadError(
            f"{path}: {chosen.__name__} cannot be made: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"
        ) from error


def instance_of(chosen: type[BaseAgentV2], arguments: Mapping[str, Any]) -> BaseAgentV2:
    """Make an agent of a class. Raises AgentNotFoundError where its `__init__` does not take the arguments."""
    try:
        inspect.signature(chosen).bind(**arguments)
    except TypeError as error:
        names = ", ".join(arguments)
        raise AgentNotFoundError(
            f"{chosen.__name__} cannot be made here ({error}): let its __init__ take {names} for BaseAgentV2"
        ) from None
    return chosen(**arguments)
