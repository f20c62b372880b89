"""What holds for the schedule whatever happens to it, judged from outside with a plain list of what waits."""

from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents.core.requests.schedule import Entry, Schedule

BOUND = 30.0
LANES = st.sampled_from(["tiny", "coder", "vision", None])


class ScheduleMachine(RuleBasedStateMachine):
    """Entries arrive, start, finish, come back and go away; each start is judged before it is believed."""

    @initialize(slots=st.integers(1, 4), lanes_in_flight=st.integers(1, 2))
    def make(self, slots: int, lanes_in_flight: int) -> None:
        self.schedule = Schedule(slots, BOUND, lanes_in_flight)
        self.slots, self.lanes_in_flight = slots, lanes_in_flight
        self.orders = count()
        self.now = 0.0
        self.waiting: dict[str, Entry] = {}
        self.running: dict[str, Entry] = {}
        self.last_ran: dict[str, float] = {}

    def busy_lanes(self) -> set[str]:
        return {str(entry.lane) for entry in self.running.values() if entry.lane is not None}

    def rivals(self) -> list[Entry]:
        """The waiting entries of the highest priority."""
        highest = max(entry.priority for entry in self.waiting.values())
        return [entry for entry in self.waiting.values() if entry.priority == highest]

    def waits_since(self, entry: Entry) -> float:
        """When the lane of an entry that is first in it began to wait."""
        if entry.lane is None:
            return entry.arrived
        lane = str(entry.lane)
        return self.now if lane in self.busy_lanes() else max(entry.arrived, self.last_ran.get(lane, 0.0))

    @rule(lane=LANES, priority=st.sampled_from([0, 4, 9]))
    def arrive(self, lane: str | None, priority: int) -> None:
        order = next(self.orders)
        entry = Entry(f"r{order}", priority, lane, self.now, order)
        self.schedule.add(entry)
        self.waiting[entry.id] = entry

    @rule(seconds=st.sampled_from([1.0, 10.0, BOUND + 1]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def start(self) -> None:
        entry = self.schedule.start(self.now)
        if entry is None:
            self.judge_refusal()
            return
        self.judge_choice(entry)
        self.running[entry.id] = self.waiting.pop(entry.id)

    def judge_refusal(self) -> None:
        """Nothing starts only if no slot is free, or what goes next waits for a lane to drain."""
        if not self.waiting or len(self.running) == self.slots:
            return
        assert len(self.busy_lanes()) == self.lanes_in_flight
        rivals = self.rivals()
        assert all(entry.lane is not None for entry in rivals)
        if any(entry.lane in self.busy_lanes() for entry in rivals):
            assert any(self.is_overdue(entry) and entry.lane not in self.busy_lanes() for entry in rivals)

    def is_overdue(self, entry: Entry) -> bool:
        first = min((e for e in self.waiting.values() if self.beside(e, entry)), key=lambda e: e.order)
        return self.now - self.waits_since(first) > BOUND

    def beside(self, one: Entry, other: Entry) -> bool:
        return one.priority == other.priority and one.lane == other.lane

    def judge_choice(self, entry: Entry) -> None:
        assert entry.id in self.waiting, "lost, doubled or invented"
        rivals = self.rivals()
        assert entry in rivals, "a lower priority went first"
        assert entry.order == min(e.order for e in rivals if e.lane == entry.lane), "not first in its lane"
        if entry.lane is not None:
            self.judge_lane(entry, rivals)

    def judge_lane(self, entry: Entry, rivals: list[Entry]) -> None:
        busy = self.busy_lanes()
        assert len(busy | {str(entry.lane)}) <= self.lanes_in_flight
        overdue = [e for e in rivals if self.is_overdue(e)]
        if overdue:
            assert self.is_overdue(entry), "an overdue lane was passed over"
            firsts = [
                min((e for e in overdue if e.lane == lane), key=lambda e: e.order) for lane in {e.lane for e in overdue}
            ]
            assert self.waits_since(entry) == min(self.waits_since(first) for first in firsts)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), comes_back=st.booleans())
    def finish(self, data: st.DataObject, comes_back: bool) -> None:
        entry = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.schedule.finish(entry.id, self.now)
        if entry.lane is not None and entry.lane not in self.busy_lanes():
            self.last_ran[str(entry.lane)] = self.now
        if comes_back:
            self.schedule.add(entry)
            self.waiting[entry.id] = entry

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.schedule.remove(entry_id)
        del self.waiting[entry_id]

    @invariant()
    def loses_and_doubles_nothing(self) -> None:
        if not hasattr(self, "schedule"):
            return
        assert self.schedule.waiting == len(self.waiting) == sum(self.schedule.waiting_by_priority().values())
        assert self.schedule.waiting == sum(self.schedule.waiting_by_lane().values())
        assert self.schedule.running == len(self.running) <= self.slots
        assert self.schedule.running_lanes == self.busy_lanes()
        assert len(self.busy_lanes()) <= self.lanes_in_flight


TestScheduleMachine = ScheduleMachine.TestCase
