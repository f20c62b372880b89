"""Which tasks nobody wants any more: told once, remembered until they come."""

from collections import OrderedDict
from typing import Final

from bus.remembering import remember

REMEMBERED: Final = 10_000
"""Cancelled tasks that are remembered: those that wait in a queue or on the ladder are met only later."""


class Cancellations:
    """The cancelled tasks that a process knows of, by id, with the reason that was told."""

    def __init__(self) -> None:
        self._reasons: OrderedDict[str, str | None] = OrderedDict()

    def add(self, task_id: str, reason: str | None) -> None:
        """Remember one; the oldest is forgotten beyond REMEMBERED."""
        remember(self._reasons, task_id, reason, REMEMBERED)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._reasons

    def reason_of(self, task_id: str) -> str | None:
        """Return the reason that was told with it, if one was."""
        return self._reasons.get(task_id)
