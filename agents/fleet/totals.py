"""Totals: counters of processes, carried over the restarts of those. Pure; who calls says what time it is."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

KEPT_SECONDS: Final = 86_400.0
"""Longer than anything else that is remembered: a host that was away must not make its counters fall."""

SUBJECTS_MOST: Final = 50_000
"""Above 200 hosts with 131 agents each; beyond it the one heard longest ago goes. A full memory takes about 25 MB."""

PROCESSES_KEPT: Final = 8
"""Of one subject, told apart however long they are silent."""

PROCESSES_MOST: Final = 100
"""Of one subject, told apart at all. What comes beyond them counts once there is room: too little is told, never a
growth that nobody has counted."""

SILENT_SECONDS: Final = 900.0
"""Without a word, after which one beyond those kept is taken for a start of long ago, and counts no more."""

Counts = tuple[int, ...]


class _Word(NamedTuple):
    counts: Counts
    at: float


@dataclass(slots=True)
class _Account:
    carried: Counts
    """What processes have counted that are no longer told apart."""
    last: dict[str, _Word] = field(default_factory=dict)
    """What each process said last, the one heard longest ago first."""
    heard_at: float = 0.0

    @property
    def totals(self) -> Counts:
        return _sum(self.carried, *(word.counts for word in self.last.values()))

    def has_room_for(self, process: str) -> bool:
        return process in self.last or len(self.last) < PROCESSES_MOST

    def note(self, process: str, counts: Counts, now: float) -> Counts:
        """Take in what a process says, and return by how much it has counted on."""
        before = self.last.pop(process, None)
        self.last[process] = _Word(counts, now)  # the one heard last is the last
        if before is None:
            return _nothing(counts)
        ended = tuple(last if count < last else 0 for last, count in zip(before.counts, counts, strict=True))
        self.carried = _sum(self.carried, ended)
        return tuple(count + end - last for last, end, count in zip(before.counts, ended, counts, strict=True))

    def let_go(self, before: float) -> None:
        """Tell those apart no more, beyond the ones kept, that were heard last before that moment."""
        while len(self.last) > PROCESSES_KEPT:
            oldest = next(iter(self.last))
            if self.last[oldest].at >= before:
                return
            self.carried = _sum(self.carried, self.last.pop(oldest).counts)


class Sum(NamedTuple):
    """The totals on a subject, and their `growth`: how much of it the process has counted since it was heard before.

    What a process had counted when it was heard first is no growth, for nobody knows when that was.
    """

    totals: Counts
    growth: Counts


class Totals:
    """What the counters on each subject come to, over all processes that have told of it."""

    def __init__(self, *, kept_seconds: float = KEPT_SECONDS, most: int = SUBJECTS_MOST) -> None:
        self._kept_seconds = kept_seconds
        self._most = most
        self._accounts: dict[Hashable, _Account] = {}

    def add(self, subject: Hashable, process: str, counts: Counts, now: float) -> Sum:
        """Take in a process's counts on a subject.

        A process counts upwards. Where one counts less than before, it is another with the same name, as that of hosts
        that tell no process, and began at 0.
        """
        account = self._accounts.pop(subject, None) or _Account(_nothing(counts))
        self._accounts[subject] = account  # the one heard last is the last
        account.heard_at = now
        account.let_go(now - SILENT_SECONDS)
        growth = account.note(process, counts, now) if account.has_room_for(process) else _nothing(counts)
        self._forget_the_oldest(now)
        return Sum(account.totals, growth)

    def _forget_the_oldest(self, now: float) -> None:
        oldest = next(iter(self._accounts))
        while len(self._accounts) > self._most or self._accounts[oldest].heard_at < now - self._kept_seconds:
            del self._accounts[oldest]
            oldest = next(iter(self._accounts))


def _sum(*counts: Counts) -> Counts:
    return tuple(map(sum, zip(*counts, strict=True)))


def _nothing(counts: Counts) -> Counts:
    return (0,) * len(counts)
