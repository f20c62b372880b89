"""Schedule: which of the waiting requests goes next to the model server. Pure: no asyncio, time is passed in.

The order, from docs/architecture.md "The model side":

1. Priority, always. Only the highest waiting priority is looked at: while it waits for a lane to drain, nothing below
   it slips in.
2. Within a priority, a lane that has waited longer than its bound; of several, the one that has waited longest.
3. Then what costs no swap, in arrival order: the lane whose model is loaded, and entries of no lane.
4. Then the lane whose first entry arrived first. Within a lane, arrival order.

At most `lanes_in_flight` lanes run at once: asking Ollama for a second model while the first is busy can deadlock it.
So when the lane that goes next has to wait for a running one to drain, no further entry of a running lane starts.

A lane waits while it has entries and none of it runs, since its first entry arrived or it last ran, whichever is
later. Counting from the entries' own arrival would make every lane overdue under a backlog, and swap at each request.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from operator import attrgetter

from agents.core.arguments import at_least, whole_at_least

Lane = Hashable

LANES_REMEMBERED = 256
"""Lanes whose last run is kept, the newest; of a forgotten one, its first entry's arrival counts."""

_by_order = attrgetter("order")


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as the schedule sees it."""

    id: str
    priority: int
    """Higher goes first."""
    lane: Lane | None
    """What makes the server reload a model; None is bound to no model and takes a slot but no lane."""
    arrived: float
    """Monotonic seconds."""
    order: int
    """The place in the line, unique. An entry that comes back for a retry keeps its own."""


@dataclass(slots=True)
class _Queue:
    """The waiting entries of one lane at one priority, in order."""

    lane: Lane | None
    entries: list[Entry] = field(default_factory=list)

    @property
    def head(self) -> Entry:
        return self.entries[0]


class Schedule:
    """The waiting and the running entries of one model server.

    Args:
        slots: entries that run at once.
        lane_bound: seconds a lane may wait within its priority before it goes next, whatever is loaded. After that it
            waits only until what runs has drained, and for lanes that have waited longer.
        lanes_in_flight: lanes that run at once.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, slots: int, lane_bound: float = 30.0, lanes_in_flight: int = 1) -> None:
        whole_at_least("slots", slots, 1)
        at_least("lane_bound", lane_bound, 0)
        whole_at_least("lanes_in_flight", lanes_in_flight, 1)
        self.slots = slots
        self.lane_bound = lane_bound
        self.lanes_in_flight = lanes_in_flight
        self.loaded_lane: Lane | None = None
        """The lane started last, or what `loaded` said since."""
        self._levels: dict[int, dict[Lane | None, _Queue]] = {}
        self._waiting: dict[str, Entry] = {}
        self._running: dict[str, Entry] = {}
        self._running_lanes: Counter[Lane] = Counter()
        self._left_at: dict[Lane, float] = {}

    @property
    def waiting(self) -> int:
        """How many entries wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many entries run; never more than `slots`."""
        return len(self._running)

    @property
    def running_lanes(self) -> set[Lane]:
        """The lanes that run now; never more than `lanes_in_flight`."""
        return set(self._running_lanes)

    def waiting_by_priority(self) -> dict[int, int]:
        """Return how many entries wait at each priority, the highest first."""
        return {
            priority: sum(len(queue.entries) for queue in level.values())
            for priority, level in sorted(self._levels.items(), reverse=True)
        }

    def waiting_by_lane(self) -> dict[Lane | None, int]:
        """Return how many entries wait for each lane."""
        return dict(Counter(entry.lane for entry in self._waiting.values()))

    def add(self, entry: Entry) -> None:
        """Let an entry wait. Raises ValueError if its id waits or runs already."""
        if entry.id in self._waiting or entry.id in self._running:
            raise ValueError(f"entry id {entry.id!r} is already waiting or running: use a new one")
        self._waiting[entry.id] = entry
        level = self._levels.setdefault(entry.priority, {})
        insort(level.setdefault(entry.lane, _Queue(entry.lane)).entries, entry, key=_by_order)

    def remove(self, entry_id: str) -> bool:
        """Take out a waiting entry. False if none of that id waits."""
        entry = self._waiting.get(entry_id)
        if entry is None:
            return False
        self._take(entry)
        return True

    def start(self, now: float) -> Entry | None:
        """Choose the entry that goes next and mark it running. None if nothing may start now."""
        if not self._levels or self.running >= self.slots:
            return None
        level = self._levels[max(self._levels)]
        queue = min(level.values(), key=lambda queue: self._rank(queue, now))
        if not self._may_run(queue.lane):
            unbound = level.get(None)
            if unbound is None:
                return None
            queue = unbound
        return self._run(queue.head)

    def finish(self, entry_id: str, now: float) -> None:
        """Free the slot of a running entry. Raises KeyError if none of that id runs."""
        lane = self._running.pop(entry_id).lane
        if lane is None:
            return
        self._running_lanes[lane] -= 1
        if not self._running_lanes[lane]:
            del self._running_lanes[lane]
            self._remember(lane, now)

    def loaded(self, lane: Lane | None) -> None:
        """Say which lane's model the server holds, where it is not the one started last."""
        self.loaded_lane = lane

    def _remember(self, lane: Lane, left_at: float) -> None:
        self._left_at.pop(lane, None)
        self._left_at[lane] = left_at
        if len(self._left_at) > LANES_REMEMBERED:
            del self._left_at[next(iter(self._left_at))]

    def _rank(self, queue: _Queue, now: float) -> tuple[int, float, int]:
        waits_since = self._waits_since(queue, now)
        if now - waits_since > self.lane_bound:
            return 0, waits_since, queue.head.order
        costs_a_swap = queue.lane is not None and queue.lane != self.loaded_lane and not self._runs(queue.lane)
        return 2 if costs_a_swap else 1, 0.0, queue.head.order

    def _waits_since(self, queue: _Queue, now: float) -> float:
        arrived = queue.head.arrived
        if queue.lane is None:
            return arrived
        return now if self._runs(queue.lane) else max(arrived, self._left_at.get(queue.lane, arrived))

    def _runs(self, lane: Lane) -> bool:
        return lane in self._running_lanes

    def _may_run(self, lane: Lane | None) -> bool:
        return lane is None or self._runs(lane) or len(self._running_lanes) < self.lanes_in_flight

    def _run(self, entry: Entry) -> Entry:
        self._take(entry)
        self._running[entry.id] = entry
        if entry.lane is not None:
            self._running_lanes[entry.lane] += 1
            self.loaded_lane = entry.lane
        return entry

    def _take(self, entry: Entry) -> None:
        del self._waiting[entry.id]
        level = self._levels[entry.priority]
        entries = level[entry.lane].entries
        del entries[bisect_left(entries, entry.order, key=_by_order)]
        if not entries:
            del level[entry.lane]
        if not level:
            del self._levels[entry.priority]
