"""Agents by the path of their Python file or folder, of either generation."""

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agents.cli.selection import AgentNotFoundError
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.factory import agent_class_at, name_at, takes
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.loading import AgentLoadError
from agents.core.settings import SettingsError, load_settings

_OPTIONS: Final = {"config_path": "--config", "max_concurrent_tasks": "--concurrency"}
"""Arguments of BaseAgentV2 as a command's user types them."""


def is_path(text: str) -> bool:
    """Say whether what was typed means a Python file, or a folder with one: `app.py`, `./translator`, `old/`."""
    return text.endswith(".py") or ("/" in text and Path(text).is_dir())


def agent_by_path(path: Path, arguments: Mapping[str, Any]) -> BaseAgentV2:
    """Make the agent of a file, or of the agent.py or app.py in a folder; `arguments` are those of BaseAgentV2.

    One of the second generation calls itself what it does. One of the first is wrapped, and called AGENT_NAME where
    that is set, else as its folder; its rewritten twin has that name written in it.

    Raises:
        AgentLoadError: there is no agent, or it cannot be loaded or made.
        AgentNotFoundError: its class does not take an argument that is given, or needs another.
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
    """Make an agent of a class with those of the arguments that are given, which is to say not None.

    Raises:
        AgentNotFoundError: its `__init__` does not take one of these, or needs another.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    for name in given:
        if not takes(chosen, name):
            option = _OPTIONS.get(name, name)
            raise AgentNotFoundError(
                f"{chosen.__name__} cannot be given {option}: let its __init__ take {name}, or leave {option} out"
            )
    try:
        inspect.signature(chosen).bind(**given)
    except TypeError as error:
        raise AgentNotFoundError(
            f"{chosen.__name__} cannot be made here ({error}): let its __init__ do without, by a default"
        ) from None
    return chosen(**given)
