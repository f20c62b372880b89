"""Server: what one model server runs and holds in memory, as far as the schedule knows."""

from collections import Counter
from collections.abc import Iterable

from agents.core.requests.entry import Entry, Lane


class Server:
    """One server: its slots, the lanes in flight and the lanes in memory."""

    def __init__(self, name: str, slots: int, lanes_in_flight: int) -> None:
        self.name = name
        self.slots = slots
        self.is_open = True
        self.last_start = -1
        """The number of the start of a lane that was its last one; -1 before the first."""
        self.in_memory: frozenset[Lane] = frozenset()
        """The lanes it holds: what ran last, or what `hold` said since."""
        self._lanes_in_flight = lanes_in_flight
        self._known_to_fit: frozenset[Lane] = frozenset()
        self._running: dict[str, Entry] = {}
        self._lanes: Counter[Lane] = Counter()

    @property
    def running(self) -> int:
        """How many entries run; never more than `slots`."""
        return len(self._running)

    @property
    def has_room(self) -> bool:
        """Whether a slot is free."""
        return self.running < self.slots

    @property
    def running_lanes(self) -> frozenset[Lane]:
        """The lanes that run now: at most `lanes_in_flight`, or a part of those that are known to fit together."""
        return frozenset(self._lanes)

    def serves(self, pinned_to: str | None) -> bool:
        """Tell whether it is one of the servers for entries pinned to that one (None: to none)."""
        return self.is_open if pinned_to is None else pinned_to == self.name

    def admits(self, lane: Lane | None) -> bool:
        """Tell whether an entry of the lane may run beside what runs, if there is a slot."""
        if lane is None or lane in self._lanes or len(self._lanes) < self._lanes_in_flight:
            return True
        return self.running_lanes | {lane} <= self._known_to_fit

    def has(self, lane: Lane | None) -> bool:
        """Tell whether an entry of the lane costs no swap here."""
        return lane is None or lane in self.in_memory

    def begin(self, entry: Entry, number: int) -> None:
        """Run an entry; `number` counts all starts."""
        self._running[entry.id] = entry
        if entry.lane is None:
            return
        self._lanes[entry.lane] += 1
        self.last_start = number
        if entry.lane not in self.in_memory:  # it may have driven out any lane that does not run
            self.hold(self.running_lanes)

    def end(self, entry_id: str) -> Lane | None:
        """Free the slot of an entry. Return its lane if nothing of it runs here any more, else None."""
        lane = self._running.pop(entry_id).lane
        if lane is None:
            return None
        self._lanes[lane] -= 1
        if self._lanes[lane]:
            return None
        del self._lanes[lane]
        return lane

    def hold(self, lanes: Iterable[Lane]) -> None:
        """Note which lanes are in memory. Of those known to fit together, only these are still known to."""
        self.in_memory = frozenset(lanes) | self.running_lanes
        self._known_to_fit &= self.in_memory

    def fit(self, lanes: Iterable[Lane]) -> None:
        """Note that these lanes are in memory together."""
        self._known_to_fit = frozenset(lanes)
        self.hold(self.in_memory | self._known_to_fit)
