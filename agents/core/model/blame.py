"""Whose fault a failed call is: its task's, which costs an attempt, or the server's, which costs none. Pure.

An outage of the model costs no task and no retry. But a task that itself takes the server down must not come for ever:

1. Only a call that was at the server when it failed (a timeout, a 5xx, a broken answer), or when a limit of its task
   cut it off, can be to blame. One that found nobody there, or an open circuit, goes back to its queue without more
   ado.
2. If the server is then unreachable, or cannot generate one token either, the fault is the server's. If it can, the
   fault is the task's, and an attempt is used.
3. One task is excused from so many outages in a host, and then no more: three times is no chance. So a task that takes
   the server down each time does so `FREE_OUTAGES` + its attempts times at most in one host.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from agents.core.model.errors import ModelError, ModelServerFault, ModelUnavailable
from agents.core.model.server import ModelServer

FREE_OUTAGES: Final = 3
"""Outages that one task may meet at the server. An honest one needs them where the server fails again and again."""

TASKS_REMEMBERED: Final = 10_000
"""Tasks whose outages are counted, the latest. More than a host has at work between two outages."""


@dataclass(frozen=True, slots=True)
class FailedTry:
    """One try that failed: how, where, and when it had begun (monotonic seconds)."""

    error: ModelError
    server: ModelServer
    began: float


def fault_at_server(failures: Sequence[FailedTry]) -> FailedTry | None:
    """Return the latest try that failed while the server was at it; None if none did."""
    for failure in reversed(failures):
        if isinstance(failure.error, ModelServerFault) and not isinstance(failure.error, ModelUnavailable):
            return failure
    return None


class Excuses:
    """Counts the outages that each task has met at the server."""

    def __init__(self) -> None:
        self._met: OrderedDict[Hashable, int] = OrderedDict()

    def excuse(self, task: Hashable) -> bool:
        """Count one more outage for a task, and say whether it is excused from it."""
        met = self._met.pop(task, 0) + 1
        self._met[task] = met
        if len(self._met) > TASKS_REMEMBERED:
            self._met.popitem(last=False)
        return met <= FREE_OUTAGES
