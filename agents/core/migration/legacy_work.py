"""LegacyWork: one task in the hands of old code, seen from the threads that ask a model for it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from agents.core.model.task_scope import TaskScope
from bus.errors import NotNowError
from bus.retry import TRANSIENT


@dataclass(slots=True, eq=False)
class LegacyWork:
    """Where the models are asked for a task: in `loop`, within `scope` if a host runs it, in the task's context."""

    loop: asyncio.AbstractEventLoop
    scope: TaskScope | None
    context: Context = field(default_factory=copy_context)
    failure: Exception | None = None
    """Why the last query failed; None where it succeeded."""

    def ask(self, ask: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Ask in the loop, blocking this thread; ends with the task.

        Raises:
            RuntimeError: this thread runs that loop, which would wait for itself.
            concurrent.futures.CancelledError: the task is over.
            ModelError: see model/errors.py.
        """
        refuse_in(self.loop)
        asking = ask() if self.scope is None else self.scope.thread_calls.run(ask)
        # A thread that old code has started has no context; a context can be entered once at a time.
        answer = self.context.copy().run(asyncio.run_coroutine_threadsafe, asking, self.loop)
        self.failure = None
        try:
            return answer.result()
        except Exception as error:
            self.failure = error
            raise

    @property
    def passing_failure(self) -> Exception | None:
        """Why the last query failed, if the task is not to blame for it and may well succeed later."""
        return self.failure if isinstance(self.failure, (NotNowError, *TRANSIENT)) else None


def refuse_in(loop: asyncio.AbstractEventLoop) -> None:
    """Refuse to block a loop from within. Raises RuntimeError."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if running is loop:
        raise RuntimeError("an old agent's query_ollama would block the host's event loop: ask in a thread")
