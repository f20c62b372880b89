"""LegacyAgentWrapper: an agent of the first generation as one of the second, without a change to it."""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from agents.core.base_agent_v2 import AgentStatus, BaseAgentV2
from agents.core.kebab import agent_name_from
from agents.core.migration.legacy_base import given_name
from agents.core.migration.legacy_task import legacy_task
from agents.core.migration.legacy_thread import LegacyCall, LegacyThreads
from agents.core.migration.legacy_work import LegacyWork, refuse_in
from agents.core.migration.results import v1_result
from agents.core.model.task_scope import current_scope
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.settings import load_settings
from schemas import TaskMessage, TaskResult, TaskStatus, now

log = structlog.get_logger(__name__)

ONE_AT_A_TIME: Final = 1
"""Tasks of an old agent at once, whatever the settings say for others: its code was never run in two threads."""

_work: ContextVar[LegacyWork | None] = ContextVar("sutazai_legacy_work", default=None)


class LegacyAgentWrapper(BaseAgentV2):
    """Runs one real instance of an old class in a thread: its `__init__`, and its `process_task` for each task.

    The thread is the same for all of that, as old code had one, and has an event loop for a `process_task` that is
    async. Of the instance, `query_ollama` is replaced: it goes through the host's pool and breaker, in the priority
    and the name of the task at hand, and raises where the first generation returned None. `is_running` and
    `tasks_processed` are kept as its own `run` did, which is not called.

    A result with "status": "error" is a failed task, and so is an exception. Where either follows a query that failed
    in passing, that counts: an outage uses no attempt, even if old code catches everything.

    A task that is cancelled or late ends at once here, and its query with it; a function in the thread runs on to
    its end, unheard, and until then the instance gets no other task; `health` says so.

    Args:
        agent_class: the old class, or whatever makes an instance; `args` and `kwargs` are for it. It is made here and
            now: in a running event loop, make the wrapper by `await asyncio.to_thread(LegacyAgentWrapper, ...)`.
        name: the agent's name; None takes the instance's `agent_name`, else AGENT_NAME, else the class's name.
        max_concurrent_tasks: how many threads call the instance at once. Only this argument says more than one.
        settings_path: a file with settings for the host's side; `config_path` is the old class's own.

    Raises:
        SettingsError: the name, or a setting, is unusable.
        Exception: what the old `__init__` raises.
    """

    def __init__(
        self,
        agent_class: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        max_concurrent_tasks: int | None = None,
        settings_path: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        self._threads = LegacyThreads(name or str(getattr(agent_class, "__name__", "agent")))
        with given_name(name):
            making = LegacyCall(partial(agent_class, *args, **kwargs))
        self._threads.start(making)
        self.old: Any = making.outcome.result()
        super().__init__(
            name=name or _own_name(self.old, settings_path),
            description=inspect.cleandoc(type(self.old).__doc__ or f"{type(self.old).__name__}, wrapped").split("\n")[
                0
            ],
            config_path=settings_path,
            max_concurrent_tasks=ONE_AT_A_TIME if max_concurrent_tasks is None else max_concurrent_tasks,
        )
        self._threads.grow_to(self.max_concurrent_tasks)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._works: set[LegacyWork] = set()
        self._unheard: dict[Future[Any], str] = {}
        self.old.query_ollama = self._query

    async def process_task(self, task: TaskMessage) -> object:
        """Have the old instance do a task; return its result, or a failed one for a dict that says "error"."""
        work = LegacyWork(asyncio.get_running_loop(), current_scope())
        try:
            result = v1_result(await self._called(work, task), task)
        except Exception as error:
            if work.passing_failure is not None:
                raise work.passing_failure from error
            raise
        if work.passing_failure is not None and _is_failed(result):
            raise work.passing_failure
        return result

    def enter(self, status: AgentStatus, pool: OllamaConnectionPool | None = None) -> None:
        """Move to the next stage of life, which the old instance reads in `is_running`."""
        super().enter(status, pool)
        self._loop = None if pool is None else asyncio.get_running_loop()
        if hasattr(self.old, "is_running"):
            # From before the first task on, and no longer once a stop was asked for.
            self.old.is_running = pool is not None and status is not AgentStatus.SHUTTING_DOWN

    def health(self, pool: OllamaConnectionPool, *, ollama_healthy: bool) -> dict[str, Any]:
        """Return what every agent's says, and how many threads are at calls whose tasks are over, and since when.

        Without a thread that is left for the next task the agent is not healthy.
        """
        unheard = list(self._unheard.values())
        told = super().health(pool, ollama_healthy=ollama_healthy)
        return told | {
            "healthy": told["healthy"] and len(unheard) < self.max_concurrent_tasks,
            "hanging_threads": len(unheard),
            "hanging_since": min(unheard, default=None),
        }

    async def _called(self, work: LegacyWork, task: TaskMessage) -> Any:
        context = copy_context()
        context.run(_work.set, work)
        call = LegacyCall(partial(self.old.process_task, legacy_task(task)), context)
        self._works.add(work)
        call.outcome.add_done_callback(partial(self._note_end, work))
        _tell_of_waiting(work, call)
        self._threads.start(call)
        try:
            return await call.result()
        except asyncio.CancelledError:
            if call.outcome.running():
                self._unheard[call.outcome] = now().isoformat()
                call.outcome.add_done_callback(self._unheard.pop)
            log.info("legacy.unheard", runs_on=call.outcome.running())
            raise

    def _note_end(self, work: LegacyWork, outcome: Future[Any]) -> None:
        self._works.discard(work)
        if not outcome.cancelled() and hasattr(self.old, "tasks_processed"):
            self.old.tasks_processed += 1

    def _query(self, prompt: str, model: str | None = None, **options: Any) -> str:
        ask = partial(self.query_ollama, prompt, model, **options)
        work = _work.get() or self._only_work()
        if work is not None:
            return work.ask(ask)
        if self._loop is None:
            return asyncio.run(ask())
        refuse_in(self._loop)
        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result()

    def _only_work(self) -> LegacyWork | None:
        """Return what a thread without a context works for, where there is but one thing that it can be."""
        works = list(self._works)
        return works[0] if len(works) == 1 else None


def _own_name(old: object, settings_path: str | Path | None) -> str:
    told = getattr(old, "agent_name", None) or load_settings(settings_path).agent_name or type(old).__name__
    return agent_name_from(str(told))


def _tell_of_waiting(work: LegacyWork, call: LegacyCall) -> None:
    """Let whoever has to end the attempt know that nothing was tried while the call waits for its thread."""
    attempt = None if work.scope is None else work.scope.attempt
    if attempt is not None:
        waits_otherwise = attempt.is_waiting
        attempt.is_waiting = lambda: call.is_queued() or waits_otherwise()


def _is_failed(result: object) -> bool:
    return isinstance(result, TaskResult) and result.status is not TaskStatus.COMPLETED
