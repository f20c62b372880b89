"""What must become of good tasks and malformed messages, held against what the broker shows."""

import asyncio
from collections import Counter
from hashlib import sha256

from bus.envelope import TASK_ID_HEADER
from bus.message import Message
from schemas import TaskResult, TaskStatus
from tests.support.malformed import Sample


class Ledger:
    """One line for each message: a good one completes; a bad one is rejected, and its bytes are kept."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.completed: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self._others: list[str] = []
        self._bodies: Counter[bytes] = Counter()
        self._kept: Counter[bytes] = Counter()
        self._told: Counter[str] = Counter()
        self.news = asyncio.Event()
        """Set with each message that is seen."""

    @property
    def published(self) -> int:
        """How many messages were to be published so far."""
        return len(self.good) + self.bad

    @property
    def bad(self) -> int:
        """How many of them are bad."""
        return self._bodies.total()

    @property
    def kept(self) -> int:
        """Dead letters so far."""
        return self._kept.total()

    @property
    def is_complete(self) -> bool:
        """Whether there are as many results and dead letters as there must be, whatever is in them."""
        ended = self.completed.total() + self.rejected.total() + len(self._others)
        return ended >= self.published and self.kept >= self.bad

    def expect(self, sample: Sample) -> None:
        """Note a message that is about to be published."""
        self.kinds[sample.kind.partition(":")[0]] += 1
        if sample.is_good:
            self.good.add(sample.task_id)
        else:
            self._bodies[sha256(sample.body).digest()] += 1

    def note_result(self, result: TaskResult) -> None:
        """Note a terminal result."""
        if result.status is TaskStatus.COMPLETED:
            self.completed[result.task_id] += 1
        elif result.status is TaskStatus.REJECTED:
            self.rejected[result.task_id] += 1
        else:
            self._others.append(f"{result.task_id} ended as {result.status.value}: {result.error}")
        self.news.set()

    def note_dead(self, message: Message) -> None:
        """Note a dead letter."""
        self._kept[sha256(message.body).digest()] += 1
        self._told[str(message.headers.get(TASK_ID_HEADER))] += 1
        self.news.set()

    def faults(self) -> list[str]:
        """Return what is not as it must be, one sentence each; nothing where all is well."""
        missing = self.good - self.completed.keys()
        twice = [task_id for task_id, times in self.completed.items() if times > 1]
        found = {
            "good tasks did not complete": len(missing),
            "tasks completed more than once": len(twice),
            "tasks completed that nobody published": len(self.completed.keys() - self.good),
            "bad messages have no `rejected` result": max(0, self.bad - self.rejected.total()),
            "`rejected` results are too many": max(0, self.rejected.total() - self.bad),
            "bad messages have no dead letter with their bytes": (self._bodies - self._kept).total(),
            "dead letters have the bytes of no bad message": (self._kept - self._bodies).total(),
            "dead letters bear another id than their results": (self._told - self.rejected).total(),
        }
        return [f"{count} {fault}" for fault, count in found.items() if count] + self._others[:10]
