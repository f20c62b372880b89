"""What rewritten agents keep of v1's ways: `@as_v1` for their tasks and results, `v1_config`, `v1_name`."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, TypeVar

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.legacy_task import legacy_task
from agents.core.migration.legacy_work import LegacyWork
from agents.core.migration.results import v1_result
from agents.core.settings import DEFAULT_CONFIG_PATH, SettingsError, load_settings
from schemas import TaskMessage, TaskResult

Agent = TypeVar("Agent", bound=BaseAgentV2)

_work: Final[ContextVar[LegacyWork | None]] = ContextVar("sutazai_v1_work", default=None)


def as_v1(
    process_task: Callable[[Agent, Any], Coroutine[Any, Any, object]],
) -> Callable[[Agent, Any], Coroutine[Any, Any, object]]:
    """Let an async `process_task` take tasks and tell results as v1 did: what LegacyAgentWrapper does, for one method.

    It gets a dict of its own. A dict with "status": "error" is a failed result, and so is an exception; where either
    follows a query that failed in passing, that failure counts, even if the method catches everything. Called with
    a dict, by other methods, it is the method itself.
    """

    @wraps(process_task)
    async def done(self: Agent, task: Any) -> object:
        if not isinstance(task, TaskMessage):
            return await process_task(self, task)
        _watch(self)
        work = LegacyWork(asyncio.get_running_loop(), None)
        token = _work.set(work)
        try:
            result = v1_result(await process_task(self, legacy_task(task)), task)
        except Exception as error:
            if work.passing_failure in (None, error):
                raise
            raise work.passing_failure from error
        finally:
            _work.reset(token)
        if work.passing_failure is not None and isinstance(result, TaskResult):
            raise work.passing_failure
        return result

    return done


def v1_config(path: str | Path = DEFAULT_CONFIG_PATH) -> dict[str, Any]:
    """Return what an agent's own JSON file holds; nothing where there is none.

    Raises:
        SettingsError: it cannot be read, or holds no JSON object.
    """
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"the agent's configuration {path} cannot be used: {error}") from error
    if not isinstance(config, dict):
        raise SettingsError(f"the agent's configuration {path} holds a {type(config).__name__}: make it a JSON object")
    return config


def v1_name(name: str) -> str:
    """Return AGENT_NAME where it is set, else `name`: what the agent was called while it was wrapped.

    Raises:
        SettingsError: a variable holds an unusable value.
    """
    return load_settings(None).agent_name or name


def _watch(agent: BaseAgentV2) -> None:
    """From now on, note of each query of the agent whether it failed, for the task that it is made for."""
    if "query_ollama" not in vars(agent):
        vars(agent)["query_ollama"] = partial(_asked, agent.query_ollama)


async def _asked(ask: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
    work = _work.get() or LegacyWork(asyncio.get_running_loop(), None)
    work.failure = None
    try:
        return await ask(*args, **options)
    except Exception as error:
        work.failure = error
        raise
