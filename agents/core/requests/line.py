"""Line: the entries that wait, by priority and lane, each lane in order."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.core.requests.entry import Entry, Lane


@dataclass(slots=True, eq=False)
class Waiters:
    """The waiting entries of one lane at one priority that may go to the same servers; never empty."""

    lane: Lane | None
    server: str | None
    entries: list[Entry] = field(default_factory=list)

    @property
    def head(self) -> Entry:
        """The one that goes first."""
        return self.entries[0]


class Line:
    """One line for all servers."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._levels: dict[int, dict[tuple[Lane | None, str | None], Waiters]] = {}

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._entries

    @property
    def length(self) -> int:
        """How many entries wait."""
        return len(self._entries)

    def levels(self) -> Iterator[list[Waiters]]:
        """Yield what waits at each priority, the highest first."""
        for priority in sorted(self._levels, reverse=True):
            yield list(self._levels[priority].values())

    def wants(self, lane: Lane) -> bool:
        """Tell whether an entry of that lane waits, whatever its priority, for any server that is open."""
        return any((lane, None) in level for level in self._levels.values())

    def add(self, entry: Entry) -> None:
        """Put an entry in its place."""
        self._entries[entry.id] = entry
        level = self._levels.setdefault(entry.priority, {})
        waiters = level.setdefault((entry.lane, entry.server), Waiters(entry.lane, entry.server))
        insort(waiters.entries, entry, key=_place)

    def take(self, entry_id: str) -> Entry:
        """Take an entry out. Raises KeyError if none of that id waits."""
        entry = self._entries.pop(entry_id)
        level = self._levels[entry.priority]
        entries = level[entry.lane, entry.server].entries
        del entries[bisect_left(entries, _place(entry), key=_place)]
        if not entries:
            del level[entry.lane, entry.server]
        if not level:
            del self._levels[entry.priority]
        return entry


def _place(entry: Entry) -> tuple[int, str]:
    return entry.order, entry.id
