"""BaseAgentV2: what an agent is. Subclass it, write `process_task`, and `run()` it."""

import asyncio
import inspect
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import structlog

from agents.core.agent_statistics import AgentStatistics
from agents.core.delegation import Delegating
from agents.core.kebab import agent_name_from
from agents.core.model.access import ModelAccess
from agents.core.model.choice import ModelChoice
from agents.core.model.task_scope import OnChunk, TaskScope, current_scope, task_scope
from agents.core.model_user import ModelUser
from agents.core.ollama_integration import OllamaConfig
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.process import run_process
from agents.core.process_usage import ProcessUsage
from agents.core.progress import Progress, told_of
from agents.core.returned import result_of
from agents.core.settings import DEFAULT_CONFIG_PATH, Settings, load_settings
from agents.core.tracing.traced import traced_async
from agents.core.typed_input import TypedInput
from agents.core.version import VERSION
from bus.attempt import Attempt
from bus.retry import RetryPolicy
from schemas import EventKind, RetryRules, TaskMessage, TaskResult, TaskStatus, now


class AgentStatus(StrEnum):
    """The life of an agent."""

    INITIALIZING = "initializing"
    REGISTERING = "registering"
    ACTIVE = "active"
    BUSY = "busy"
    ERROR = "error"
    SHUTTING_DOWN = "shutting_down"
    STOPPED = "stopped"


_ILL: Final = frozenset({AgentStatus.ERROR, AgentStatus.SHUTTING_DOWN, AgentStatus.STOPPED})


class BaseAgentV2(TypedInput, Delegating, ModelUser):
    """An agent: a name, a queue of that name, and `process_task`.

    Args:
        agent_id: an id for people; made where it is not given.
        name: the agent's name, which its queue carries. None takes AGENT_NAME, else the class's name in kebab case.
        port: kept for programs that read it; an agent listens on no port.
        description: one line for people; None takes the class's docstring.
        config_path: a JSON or TOML file with settings; see docs/settings.md.
        max_concurrent_tasks: handlers at once, which is the prefetch; 3 where nothing sets it.
        max_ollama_connections: requests at the model server at once; 2 where nothing sets it.
        health_check_interval: seconds between two reports; 30 where nothing sets it.
        heartbeat_interval: seconds between two heartbeats to the coordinator, where `backend_url` names one; 30 where
            nothing sets it.

    Raises:
        SettingsError: an argument, a variable or the file holds an unusable value.
    """

    max_attempts: int | None = None
    """How often a task runs at most; None takes the settings'. A task's own `max_attempts` wins."""

    retry: RetryRules | None = None
    """How late, and after which errors, a task is tried again, where that differs from the settings."""

    task_timeout: float | None = None
    """Seconds that one attempt may take; None takes the settings'."""

    capabilities: Sequence[str] = ()
    """What the agent can do, in words that the coordinator is told when the agent registers there."""

    def __init__(
        self,
        agent_id: str | None = None,
        name: str | None = None,
        port: int | None = None,
        description: str | None = None,
        config_path: str | Path | None = DEFAULT_CONFIG_PATH,
        max_concurrent_tasks: int | None = None,
        max_ollama_connections: int | None = None,
        health_check_interval: float | None = None,
        heartbeat_interval: float | None = None,
    ) -> None:
        self.settings: Settings = load_settings(
            config_path,
            agent_name=name,
            max_concurrent_tasks=max_concurrent_tasks,
            max_ollama_connections=max_ollama_connections,
            health_check_interval=health_check_interval,
            heartbeat_interval=heartbeat_interval,
        )
        self.name = self.settings.agent_name or agent_name_from(type(self).__name__)
        self.agent_id = agent_id or f"{self.name}-{uuid4().hex[:8]}"
        self.agent_type = self.settings.agent_type
        self.port = port
        self.description = description or inspect.cleandoc(type(self).__doc__ or "").split("\n")[0]
        self.config = self.settings.shown
        # Not `bind`, which would fix the level for good: agents are made before a host sets up the log.
        self.logger = structlog.get_logger(type(self).__module__, agent=self.name)
        config = OllamaConfig.get_model_config(self.name, tiers=self.settings.tiers)
        self.models = ModelAccess(self.settings, ModelChoice.of_tier(config))
        self.statistics = AgentStatistics()
        self._life = AgentStatus.INITIALIZING
        self._usage = ProcessUsage()

    @property
    def agent_name(self) -> str:
        """The agent's name, under the name that older agents use."""
        return self.name

    @property
    def agent_version(self) -> str:
        """The version of this product."""
        return VERSION

    @property
    def model(self) -> str:
        """The model that this agent asks unless a task or a call names another."""
        return self.models.choice.model

    @property
    def max_concurrent_tasks(self) -> int:
        """Handlers at once, which is the prefetch."""
        return self.settings.max_concurrent_tasks

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often and how late a failed task is tried again. Override it to choose the errors by their class."""
        return self.settings.retry_policy.with_rules(self.retry, self.max_attempts)

    @property
    def status(self) -> AgentStatus:
        """What the agent does at the moment."""
        is_busy = self._life is AgentStatus.ACTIVE and self.statistics.active > 0
        return AgentStatus.BUSY if is_busy else self._life

    async def process_task(self, task: TaskMessage) -> object:
        """Do one task, which reads as a mapping too. Override it.

        Return a TaskResult; a dict, a pydantic model or a text is the result of a completed task, and has to be what
        `output_model` says where that is set (a text is then read as JSON). Raise
        RetryableError to try again later, PermanentError to fail now; any other error fails the task as well,
        except timeouts and connection errors, which are tried again.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define process_task({task.id!r})")

    async def on_start(self) -> None:
        """Prepare for work. Override it.

        Called once, when the host has its connections and before the first task: `query_ollama` and `self.bus` work.
        An error ends the host, and so does taking longer than `start_timeout`, for which an outage of the model server
        would be waited for; both are told in one line.
        """

    async def on_stop(self) -> None:
        """Clean up. Override it.

        Called once, after the last task and while the connections are open, also where `on_start` failed. It has what
        is left of the grace period, or five seconds if that is less; what it raises is logged.
        """

    def progress(self, at: float | str, message: str | None = None, **data: Any) -> None:
        """Tell how far the task at hand has come: a fraction from 0 to 1, a text, or a fraction and a text.

        It is an event, for whoever listens, with `data` beside it. It may be called from threads as well, and as often
        as is handy: ten a second go out at most, the latest of what was told, and the last one always.

        Raises:
            ValueError: the fraction is none.
            RuntimeError: not called within `process_task`.
        """
        scope = current_scope()
        if scope is None or scope.progress is None:
            raise RuntimeError("progress works within process_task: elsewhere there is no task to tell of")
        scope.progress.tell(told_of(at, message, data))

    async def health_check(self) -> dict[str, Any]:
        """Return the agent's state; asks the model server whether it answers. Being busy is not being ill."""
        async with self.models.opened_pool() as pool:
            return self.health(pool, ollama_healthy=await pool.health_check())

    def health(self, pool: OllamaConnectionPool, *, ollama_healthy: bool) -> dict[str, Any]:
        """Return the keys of docs/names.md, given what is known of the model server."""
        return {
            "agent_name": self.name,
            "agent_id": self.agent_id,
            "agent_type": self.agent_type,
            "agent_version": self.agent_version,
            "status": self.status.value,
            "healthy": self.status not in _ILL and (ollama_healthy or not self.needs_model),
            "uptime_seconds": self.statistics.uptime,
            "tasks_processed": self.statistics.processed,
            "tasks_failed": self.statistics.failed,
            "active_tasks": self.statistics.active,
            "avg_processing_time": self.statistics.average_seconds,
            "ollama_healthy": ollama_healthy,
            "circuit_breaker_status": pool.servers.state.value,
            "circuit_breaker_trips": pool.servers.trips,
            "model": self.model,
            "memory_bytes": self._usage.memory_bytes,
            "cpu_percent": self._usage.cpu_percent(),
            "timestamp": now().isoformat(),
        }

    async def handle(self, attempt: Attempt) -> TaskResult:
        """Run `process_task` on one attempt; the host's consumer calls this.

        What it costs is added to `attempt.spent`, which holds it when this raises or is cancelled as well.
        """
        task = attempt.task
        on_chunk = _chunks_of(attempt) if task.stream else None
        progress = Progress(partial(attempt.emit, EventKind.PROGRESS), asyncio.get_running_loop())
        scope = TaskScope(
            task.priority, on_chunk=on_chunk, task=task, spent=attempt.spent, attempt=attempt, progress=progress
        )
        attempt.is_waiting, attempt.met_outage = scope.is_waiting, scope.met_outage
        with self.statistics.one_run() as run, task_scope(scope):
            self.must_fit(task)
            async with scope.thread_calls, progress:
                result = result_of(await self._process(task), task, self.declared_output)
            run.failed = result.status is not TaskStatus.COMPLETED
        return result

    async def _process(self, task: TaskMessage) -> object:
        returned = self.process_task(task)
        if not inspect.isawaitable(returned):
            raise TypeError(
                f"{type(self).__name__}.process_task is not async: write `async def process_task(self, task)`"
            )
        return await returned

    def enter(self, status: AgentStatus, pool: OllamaConnectionPool | None = None) -> None:
        """Move to the next stage of life; the host calls this. `pool` is the host's, while it runs the agent."""
        self._life = status
        self.models.attach(pool)

    async def run_async(self) -> None:
        """Run this agent alone in a host of its own, with its pages, until it is stopped by a signal or cancelled."""
        from agents.core.host import Host  # noqa: PLC0415 - a host knows its agents; only this shorthand looks back
        from agents.core.pages.host_pages import VARIABLES, open_pages  # noqa: PLC0415 - the pages know the host

        host = Host([self], self.settings)
        async with traced_async(self.settings, "sutazai"), open_pages(host, VARIABLES), host:
            await host.serve()

    def run(self) -> None:
        """Run this agent until SIGINT or SIGTERM; the whole main program of an agent's file.

        Raises:
            SystemExit: it could not start; the code is one of docs/exit-codes.md, the reason is on standard error.
        """
        run_process(self.run_async, self.settings.log_level, self.settings.log_format)

    def start(self) -> None:
        """Do what `run` does, under the name that older agents use."""
        self.run()


def _chunks_of(attempt: Attempt) -> OnChunk:
    sequence = count()

    async def emit(text: str) -> None:
        attempt.emit(EventKind.CHUNK, text=text, sequence=next(sequence))

    return emit


BaseAgent = BaseAgentV2
