"""The agents of the storm's hosts. They do what a task's data says and write down each run."""

import asyncio
import os
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Final

from agents.core.base_agent_v2 import BaseAgentV2
from benchmarks.chaos_storm.run_log import RunLog
from benchmarks.chaos_storm.workload import Course
from bus.attempt import Attempt
from bus.errors import PermanentError, RejectedError, RetryableError
from schemas import TaskMessage, TaskResult

RUNS_VARIABLE: Final = "CHAOS_RUNS"
"""Path of the file for the runs."""

LIFE_VARIABLE: Final = "CHAOS_LIFE"
"""HOST.NUMBER: which process this is."""

_attempt: ContextVar[int] = ContextVar("attempt")


class Obedient(BaseAgentV2):
    """Does what a task's data says."""

    needs_model = False
    prefetch: ClassVar[int] = 1

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"name": None, **arguments, "max_concurrent_tasks": self.prefetch})
        self._runs = RunLog(Path(os.environ[RUNS_VARIABLE]), os.environ[LIFE_VARIABLE])

    async def handle(self, attempt: Attempt) -> TaskResult:
        """Write the run down."""
        with self._runs.run(attempt.task.id, attempt.number):
            _attempt.set(attempt.number)
            return await super().handle(attempt)

    async def process_task(self, task: TaskMessage) -> dict[str, Any]:
        """Work as long as the data says, and end as it says."""
        await asyncio.sleep(task.data["seconds"])
        match Course(task.data["course"]):
            case Course.RETRIED if _attempt.get() <= task.data["failures"]:
                raise RetryableError(f"attempt {_attempt.get()} of {task.data['failures'] + 1} was meant to fail")
            case Course.EXHAUSTED:
                raise RetryableError("all attempts are meant to fail")
            case Course.PERMANENT:
                raise PermanentError("this was meant to fail")
            case Course.REJECTED:
                raise RejectedError("this was meant to be refused")
            case _:
                return {"attempt": _attempt.get()}


class Swift(Obedient):
    """Ten tasks at once."""

    prefetch = 10


class Steady(Obedient):
    """Four tasks at once."""

    prefetch = 4


class Single(Obedient):
    """One task at once."""


class Thinker(Obedient):
    """Asks the model, two tasks at once."""

    needs_model = True
    prefetch = 2

    async def process_task(self, task: TaskMessage) -> dict[str, Any]:
        """Return the model's answer."""
        return {"response": await self.query_ollama(task.prompt or "")}


class Probe(Obedient):
    """Runs on one host only, which thus shows that it lives. It ends the process when the storm's own has ended."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, name=probe_of(os.environ[LIFE_VARIABLE].partition(".")[0]))
        threading.Thread(target=_hang_on_the_leash, name="leash", daemon=True).start()


def probe_of(host: str) -> str:
    """Return the name of the agent that runs on this host only."""
    return f"probe-{host}"


def _hang_on_the_leash() -> None:
    # The storm holds the other end of this pipe, which the kernel closes however the storm ends, SIGKILL included.
    # Read without Python's buffer: a process that ends while a thread holds that one's lock is aborted.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)
