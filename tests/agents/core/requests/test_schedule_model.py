"""What holds for the schedule whatever happens to it, judged from outside with plain lists of what waits and runs."""

from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents.core.requests.entry import Entry, Start
from agents.core.requests.schedule import Schedule

BOUND = 30.0
NAMES = ("a", "b", "c")
LANES = ("tiny", "coder", "vision")

Bucket = tuple[int, object, str | None]
"""Priority, lane and server of entries that go in arrival order among themselves."""


class ScheduleMachine(RuleBasedStateMachine):
    """Entries arrive, start, finish, come back and go away; servers shut and open; each start is judged."""

    @initialize(slots=st.integers(1, 3), lanes_in_flight=st.integers(1, 2), servers=st.integers(1, 3))
    def make(self, slots: int, lanes_in_flight: int, servers: int) -> None:
        self.names = NAMES[:servers]
        self.schedule = Schedule(slots, BOUND, lanes_in_flight, self.names)
        self.slots, self.lanes_in_flight = slots, lanes_in_flight
        self.orders = count()
        self.now = 0.0
        self.waiting: dict[str, Entry] = {}
        self.running: dict[str, Start] = {}
        self.shut_ones: set[str] = set()
        self.memory: dict[str, set[object]] = {name: set() for name in self.names}
        self.fitting: dict[str, set[object]] = {name: set() for name in self.names}
        self.last_ran: dict[tuple[object, str | None], float] = {}

    # What may be done to it

    @rule(lane=st.sampled_from([*LANES, None]), priority=st.sampled_from([0, 4, 9]), data=st.data())
    def arrive(self, lane: str | None, priority: int, data: st.DataObject) -> None:
        server = data.draw(st.sampled_from([None, None, None, *self.names]))
        order = next(self.orders)
        entry = Entry(f"r{order}", priority, lane, self.now, order, server)
        self.schedule.add(entry)
        self.waiting[entry.id] = entry

    @rule(seconds=st.sampled_from([1.0, 10.0, BOUND + 1]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(times=st.integers(1, 6))
    def start(self, times: int) -> None:
        for _ in range(times):
            start = self.schedule.start(self.now)
            if start is None:
                self.judge_refusal()
                return
            self.judge_choice(start)
            self.begin(start)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), comes_back=st.booleans())
    def finish(self, data: st.DataObject, comes_back: bool) -> None:
        start = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.schedule.finish(start.entry.id, self.now)
        lane = start.entry.lane
        if lane is not None and lane not in self.busy_lanes(start.server):
            self.last_ran[lane, start.server] = self.now
            if start.server not in self.shut_ones:
                self.last_ran[lane, None] = self.now
        if comes_back:
            self.schedule.add(start.entry)
            self.waiting[start.entry.id] = start.entry

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.schedule.remove(entry_id)
        del self.waiting[entry_id]

    @rule(data=st.data())
    def shut(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names))
        self.schedule.shut(name, self.now)
        if name not in self.shut_ones:
            self.shut_ones.add(name)
            self.last_ran.update({(lane, None): self.now for lane in self.busy_lanes(name)})

    @precondition(lambda self: self.shut_ones)
    @rule(data=st.data())
    def open(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.shut_ones)))
        self.schedule.open(name)
        self.shut_ones.remove(name)

    @rule(data=st.data(), lanes=st.sets(st.sampled_from(LANES), max_size=2), together=st.booleans())
    def note_loaded(self, data: st.DataObject, lanes: set[str], together: bool) -> None:
        name = data.draw(st.sampled_from(self.names))
        self.schedule.loaded(name, lanes)
        self.memory[name] = lanes | self.busy_lanes(name)
        self.fitting[name] &= self.memory[name]
        if together:
            self.schedule.fits(name, lanes)
            self.fitting[name] = set(lanes)

    def begin(self, start: Start) -> None:
        self.running[start.entry.id] = start
        del self.waiting[start.entry.id]
        if start.entry.lane is not None and start.entry.lane not in self.memory[start.server]:
            self.memory[start.server] = self.busy_lanes(start.server)
            self.fitting[start.server] &= self.memory[start.server]

    # What can be seen

    def running_on(self, name: str) -> int:
        return sum(start.server == name for start in self.running.values())

    def busy_lanes(self, name: str) -> set[object]:
        lanes = {start.entry.lane for start in self.running.values() if start.server == name}
        return lanes - {None}

    def serves(self, name: str, pinned_to: str | None) -> bool:
        return name not in self.shut_ones if pinned_to is None else name == pinned_to

    def admits(self, name: str, lane: object) -> bool:
        lanes = self.busy_lanes(name) | {lane}
        return (
            lane is None
            or lane in self.busy_lanes(name)
            or len(lanes) <= self.lanes_in_flight
            or lanes <= self.fitting[name]
        )

    def could_start_on(self, entry: Entry) -> list[str]:
        """The servers where only the order could keep the entry from starting."""
        return [
            name
            for name in self.names
            if self.serves(name, entry.server) and self.running_on(name) < self.slots and self.admits(name, entry.lane)
        ]

    def buckets(self) -> dict[Bucket, list[Entry]]:
        """What waits, each in arrival order."""
        buckets: dict[Bucket, list[Entry]] = {}
        for entry in sorted(self.waiting.values(), key=lambda entry: entry.order):
            buckets.setdefault(bucket_of(entry), []).append(entry)
        return buckets

    def waits_since(self, bucket: Bucket, head: Entry) -> float:
        _, lane, server = bucket
        if lane is None:
            return head.arrived
        if any(lane in self.busy_lanes(name) for name in self.names if self.serves(name, server)):
            return self.now
        return max(head.arrived, self.last_ran.get((lane, server), 0.0))

    def overdue(self, priority: int) -> list[Bucket]:
        """The overdue ones of a priority, the one that goes first in front."""
        late = [
            (self.waits_since(bucket, entries[0]), entries[0].order, bucket)
            for bucket, entries in self.buckets().items()
            if bucket[0] == priority and self.now - self.waits_since(bucket, entries[0]) > BOUND
        ]
        return [bucket for _, _, bucket in sorted(late, key=lambda item: item[:2])]

    def overdue_ahead_of(self, entry: Entry) -> list[Bucket]:
        overdue = self.overdue(entry.priority)
        bucket = bucket_of(entry)
        return overdue[: overdue.index(bucket)] if bucket in overdue else overdue

    def servers_needed(self, priority: int) -> int:
        """How many servers the lanes above a priority fill, wherever they may run."""
        return sum(
            -(-len(entries) // self.slots)
            for (above, lane, server), entries in self.buckets().items()
            if above > priority and lane is not None and server is None
        )

    def pinned_above(self, priority: int, name: str) -> bool:
        return any(above > priority and lane is not None and server == name for above, lane, server in self.buckets())

    # What is right

    def judge_choice(self, start: Start) -> None:
        entry = start.entry
        assert self.waiting.get(entry.id) is entry, "lost, doubled or invented"
        assert start.server in self.could_start_on(entry), "no slot, a shut server, or too many lanes"
        assert entry is self.buckets()[bucket_of(entry)][0], "not first in its lane"
        higher = (other for other in self.waiting.values() if other.priority > entry.priority)
        assert not any(self.has_a_slot_for(other) for other in higher), "a lower priority went first"
        self.judge_slipping_in(start)
        if entry.priority == max(other.priority for other in self.waiting.values()):
            self.judge_lane(start)

    def judge_slipping_in(self, start: Start) -> None:
        """A server that something higher or overdue waits for is left to it."""
        entry = start.entry
        ahead = [bucket for bucket in self.overdue_ahead_of(entry) if bucket[1] is not None and entry.lane is not None]
        assert not self.pinned_above(entry.priority, start.server)
        assert all(server != start.server for _, _, server in ahead)
        if start.server not in self.shut_ones:
            others = len(self.names) - len(self.shut_ones) - 1
            assert self.servers_needed(entry.priority) <= others, "slipped in below a higher priority"
            assert sum(server is None for _, _, server in ahead) <= others, "slipped in before an overdue lane"

    def judge_lane(self, start: Start) -> None:
        """Among equals of the highest priority: overdue, then no swap, then arrival."""
        overdue = self.overdue(start.entry.priority)
        if overdue:
            first = self.buckets()[overdue[0]][0]
            assert first is start.entry or not self.could_start_on(first), "an overdue lane was passed over"
            return
        assert self.cost(start.entry, start.server) == min(
            self.cost(entries[0], name)
            for bucket, entries in self.buckets().items()
            if bucket[0] == start.entry.priority
            for name in self.could_start_on(entries[0])
        )

    def cost(self, entry: Entry, name: str) -> tuple[bool, int]:
        return entry.lane is not None and entry.lane not in self.memory[name], entry.order

    def judge_refusal(self) -> None:
        assert not any(self.has_a_slot_for(entry) for entry in self.waiting.values()), "a slot stays free for nobody"

    def has_a_slot_for(self, entry: Entry) -> bool:
        """Tell whether it could start on more servers than those that something higher or overdue may wait for."""
        ahead = self.overdue_ahead_of(entry) if entry.lane is not None else []
        claims = self.servers_needed(entry.priority) + sum(lane is not None for _, lane, _ in ahead)
        claims += sum(self.pinned_above(entry.priority, name) for name in self.names)
        return len(self.could_start_on(entry)) > claims

    @invariant()
    def loses_and_doubles_nothing(self) -> None:
        if not hasattr(self, "schedule"):
            return
        assert self.schedule.waiting == len(self.waiting)
        assert self.schedule.running == len(self.running)
        for name in self.names:
            server = self.schedule.server(name)
            assert server.running == self.running_on(name) <= self.slots
            assert server.running_lanes == self.busy_lanes(name)


def bucket_of(entry: Entry) -> Bucket:
    return entry.priority, entry.lane, entry.server


TestScheduleMachine = ScheduleMachine.TestCase
