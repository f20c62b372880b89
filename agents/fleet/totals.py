"""Totals: counters of processes, carried over the restarts of those. Pure; who calls says what time it is."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

KEPT_SECONDS: Final = 86_400.0
"""Longer than anything else that is remembered: a host that was away must not make its counters fall."""

SUBJECTS_MOST: Final = 50_000
"""Above 200 hosts with 131 agents each; beyond it the one heard longest ago goes. A full memory takes about 25 MB."""

PROCESSES_MOST: Final = 8
"""Of one subject, told apart. More are starts of long ago, which count no more."""

Counts = tuple[int, ...]


@dataclass(slots=True)
class _Account:
    carried: Counts
    """What processes have counted that are no longer told apart."""
    last: dict[str, Counts] = field(default_factory=dict)
    """The last counts of each process, the one heard longest ago first."""
    heard_at: float = 0.0


class Totals:
    """What the counters on each subject come to, over all processes that have told of it."""

    def __init__(self, *, kept_seconds: float = KEPT_SECONDS, most: int = SUBJECTS_MOST) -> None:
        self._kept_seconds = kept_seconds
        self._most = most
        self._accounts: dict[Hashable, _Account] = {}

    def add(self, subject: Hashable, process: str, counts: Counts, now: float) -> Counts:
        """Take in a process's counts on a subject, and return the totals.

        A process counts upwards. Where one counts less than before, it is another with the same name, as that of hosts
        that tell no process, and began at 0.
        """
        account = self._accounts.pop(subject, None) or _Account((0,) * len(counts))
        self._accounts[subject] = account  # the one heard last is the last
        account.heard_at = now
        before = account.last.pop(process, (0,) * len(counts))
        ended = tuple(last if count < last else 0 for last, count in zip(before, counts, strict=True))
        account.carried = _sum(account.carried, ended)
        account.last[process] = counts
        if len(account.last) > PROCESSES_MOST:
            account.carried = _sum(account.carried, account.last.pop(next(iter(account.last))))
        self._forget_the_oldest(now)
        return _sum(account.carried, *account.last.values())

    def _forget_the_oldest(self, now: float) -> None:
        oldest = next(iter(self._accounts))
        while len(self._accounts) > self._most or self._accounts[oldest].heard_at < now - self._kept_seconds:
            del self._accounts[oldest]
            oldest = next(iter(self._accounts))


def _sum(*counts: Counts) -> Counts:
    return tuple(map(sum, zip(*counts, strict=True)))
