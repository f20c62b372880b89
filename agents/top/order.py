"""Which agents are shown, and in which order. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from agents.top.agent_rows import AgentRow


class _Worded(Protocol):
    @property
    def words(self) -> str: ...


Row = TypeVar("Row", bound=_Worded)


class Sort(StrEnum):
    """What agents are sorted by; figures run from the highest down, words from a to z."""

    BUSY = "busy"
    NAME = "agent"
    STATE = "state"
    READY = "wait"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"
    RETRIES = "retries"
    P95 = "p95"


_KEYS: Final[dict[Sort, Callable[[AgentRow], tuple[float, ...] | str]]] = {
    Sort.BUSY: lambda row: (-row.running, -(row.ready or 0), -row.held, not row.living),
    Sort.NAME: lambda row: row.name,
    Sort.STATE: lambda row: row.state,
    Sort.READY: lambda row: (-(row.ready or 0),),
    Sort.DONE: lambda row: (-row.done,),
    Sort.FAILED: lambda row: (-row.failed,),
    Sort.DEAD: lambda row: (-(row.dead or 0),),
    Sort.RETRIES: lambda row: (-row.retries,),
    Sort.P95: lambda row: (-(row.p95 or 0.0),),
}


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort agents; those that are equal stand by their names."""

    by: Sort = Sort.BUSY
    is_reversed: bool = False

    def next(self) -> "Order":
        """Return the order by the next column, the first one behind the last."""
        every = list(Sort)
        return Order(every[(every.index(self.by) + 1) % len(every)])

    def turned(self) -> "Order":
        """Return the same the other way round."""
        return replace(self, is_reversed=not self.is_reversed)

    def sorted(self, rows: Iterable[AgentRow]) -> list[AgentRow]:
        """Return the rows in this order."""
        by_name = sorted(rows, key=lambda row: row.name)
        return sorted(by_name, key=_KEYS[self.by], reverse=self.is_reversed)

    def __str__(self) -> str:
        return f"{self.by}{', reversed' if self.is_reversed else ''}"


def filtered(rows: Sequence[Row], text: str) -> list[Row]:
    """Return the rows that hold every word of `text`, in any case."""
    wanted = text.casefold().split()
    if not wanted:
        return list(rows)
    return [row for row in rows if all(word in row.words.casefold() for word in wanted)]
