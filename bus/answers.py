"""Who waits for the result of a task that is away, and the results of the last tasks: all who ask get one answer."""

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bus.asker import Asker
from bus.message import Message
from bus.remembering import remember
from bus.result_log import result_of
from bus.shelf import Shelf
from schemas import TaskResult

REMEMBERED: Final = 1_000
"""Ended tasks whose askers are remembered, and tasks on the ladder that somebody else waits for."""

WAITING_MOST: Final = 100
"""Askers of one task that is away on the ladder; the queue it comes back to says nothing of them."""


@dataclass(frozen=True, slots=True)
class _End:
    at: datetime
    told: frozenset[Asker]


class Answers:
    """The answers of one consumer, by the key of their task."""

    def __init__(self, agent: str, shelf: Shelf) -> None:
        """`shelf` is where the results themselves lie, shared by all agents of the process."""
        self._agent = agent
        self._shelf = shelf
        self._waiting: OrderedDict[str, dict[Asker, None]] = OrderedDict()
        self._ends: OrderedDict[str, _End] = OrderedDict()

    def expect(self, key: str, asker: Asker) -> None:
        """Remember who waits for a task that is away on the ladder; the longest waiting go beyond the bound."""
        waiting = self._waiting.get(key, {}) | {asker: None}
        remember(self._waiting, key, dict(list(waiting.items())[-WAITING_MOST:]), REMEMBERED)

    def expected(self, key: str) -> tuple[Asker, ...]:
        """Return who waits beside those whose messages are in hand."""
        return tuple(self._waiting.get(key, ()))

    def hand_over(self, key: str, askers: Container[Asker]) -> None:
        """Forget those who wait whom a copy bears: they are told wherever it is done."""
        left = dict.fromkeys(asker for asker in self.expected(key) if asker not in askers)
        self._waiting.pop(key, None)
        if left:
            self._waiting[key] = left

    def keep(self, key: str, result: TaskResult, told: frozenset[Asker]) -> None:
        """Remember a terminal result and who has been told it. One that is too large is only known to exist."""
        self._waiting.pop(key, None)
        remember(self._ends, key, _End(result.timestamp, told), REMEMBERED)
        self._shelf.put(self._agent, key, result.model_dump_json().encode())

    def result(self, key: str) -> TaskResult | None:
        """Return the result that a task has had, where it is kept."""
        body = self._shelf.get(self._agent, key)
        return None if body is None else result_of(Message(body))

    def ended_at(self, key: str) -> datetime | None:
        """Return when a task ended, as its result says."""
        end = self._ends.get(key)
        return None if end is None else end.at

    def has_told(self, key: str, asker: Asker) -> bool:
        """Whether somebody was told the result when the task ended."""
        end = self._ends.get(key)
        return end is not None and asker in end.told
