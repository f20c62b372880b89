"""LegacyBaseAgent: what old files get from `agent_base`, with the attributes and methods that theirs had."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import structlog

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.kebab import agent_name_from
from agents.core.migration.legacy_log import legacy_logger
from agents.core.migration.v1 import v1_config
from agents.core.settings import DEFAULT_CONFIG_PATH, load_settings

log = structlog.get_logger(__name__)

_given: ContextVar[str | None] = ContextVar("sutazai_legacy_name", default=None)


@contextmanager
def given_name(name: str | None) -> Iterator[None]:
    """Within the block, an old agent that is made is called `name`; None: as the environment says."""
    token = _given.set(name)
    try:
        yield
    finally:
        _given.reset(token)


_is_loading: ContextVar[bool] = ContextVar("sutazai_legacy_loading", default=False)


@contextmanager
def runs_nothing() -> Iterator[None]:
    """Within the block, `run` does nothing: a file without a main block runs its agent while it is being loaded."""
    token = _is_loading.set(True)
    try:
        yield
    finally:
        _is_loading.reset(token)


class LegacyBaseAgent:
    """The base of the first generation. Subclasses write a `process_task` that takes a dict and returns one.

    `config` is what stands in the JSON file at `config_path`, empty where there is none. `agent_name` is AGENT_NAME,
    else the class's name in kebab case; `agent_type`, `backend_url` (empty where it is not set) and `ollama_url` are
    those of the environment. `is_running` and `tasks_processed` are kept by the wrapper that runs the agent.

    Raises:
        SettingsError: the file or a variable holds an unusable value.
    """

    def __init__(self, config_path: str | Path = DEFAULT_CONFIG_PATH) -> None:
        settings = load_settings(None)
        self.config = _read_config(config_path)
        self.agent_name = _given.get() or settings.agent_name or agent_name_from(type(self).__name__)
        self.agent_type = settings.agent_type
        self.backend_url = settings.backend_url or ""
        self.ollama_url = settings.ollama_url
        self.logger = legacy_logger(self.agent_name)
        self.is_running = False
        self.tasks_processed = 0

    def process_task(self, task: dict[str, Any]) -> Any:
        """Do one task and return a dict with "status": "success" or "error". Override it."""
        raise NotImplementedError(f"{type(self).__name__} does not define process_task({task.get('id')!r})")

    def query_ollama(self, prompt: str, model: str | None = None, **options: Any) -> str:
        """Return a model's text for a prompt; further options go to the model.

        The model is the agent's own, tinyllama for one that no catalogue knows, unless one is named. This asks with a
        connection of its own, as in `__init__` or in a program without a host; a wrapper puts its own in this place.

        Raises:
            ModelError: the model could not be asked. The first generation returned None there, and lost the task.
        """
        asker = BaseAgentV2(name=self.agent_name, config_path=None)
        answer: str = asyncio.run(asker.query_ollama(prompt, model, **options))
        return answer

    def run(self) -> None:
        """Run this agent, wrapped, until SIGINT or SIGTERM; not while a host loads its file, which will run it."""
        if _is_loading.get():
            log.info("legacy.run_skipped", agent=self.agent_name)
            return
        from agents.core.migration.legacy_wrapper import LegacyAgentWrapper  # noqa: PLC0415 - only this looks back

        LegacyAgentWrapper(lambda: self).run()


def _read_config(path: str | Path) -> dict[str, Any]:
    if not Path(path).exists() and str(path) != DEFAULT_CONFIG_PATH:
        log.warning("legacy.no_config", path=str(path))
    return v1_config(path)


BaseAgent = LegacyBaseAgent
