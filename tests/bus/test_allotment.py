from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bus.allotment import OVERDUE_SECONDS, Allotment, Ask, Line, SendBack, Step, Stuck
from bus.hold import Hold
from tests.support.intake_model import IntakeModel, Wait

AGENTS = ("a", "b", "c", "d")


def line_of(agent: str, top: int | None, *, limit: int = 3, since: float = 0.0) -> Line:
    line = Line(agent, limit)
    line.backlog.needs_look = False
    line.backlog.top, line.backlog.since = top, since
    return line


def hold_of(agent: str, priority: int, *, waits: bool = True) -> Hold:
    hold = Hold(agent, priority)
    wait = Wait()
    wait.waits = waits
    hold.waiting = wait
    return hold


def test_a_queue_of_which_nothing_is_known_is_looked_at_first() -> None:
    unknown = Line("a", 3)
    assert Allotment([unknown], [], 1, 0.0).next_move() == Ask(Step.LOOK, unknown)


def test_an_empty_queue_is_open() -> None:
    empty = line_of("a", None)
    assert Allotment([empty], [], 1, 0.0).next_move() == Ask(Step.OPEN, empty)
    empty.is_open = True
    assert Allotment([empty], [], 1, 0.0).next_move() is None


def test_an_agent_at_its_limit_is_not_opened() -> None:
    empty = line_of("a", None, limit=1)
    assert Allotment([empty], [hold_of("a", 4)], 8, 0.0).next_move() is None


def test_the_highest_priority_is_fetched_then_the_overdue_then_the_loaded_then_the_longest_wait() -> None:
    lines = [line_of("a", 4, since=3), line_of("b", 4, since=2), line_of("c", 7, since=9), line_of("d", 4, since=1)]
    order = []
    for _ in range(4):
        move = Allotment(lines, [], 8, 10.0, lambda agent: agent == "b").next_move()
        assert isinstance(move, Ask)
        lines.remove(move.line)
        order.append(move.line.agent)
    assert order == ["c", "b", "d", "a"]
    old = line_of("old", 4, since=10.0 - OVERDUE_SECONDS - 1)
    assert Allotment([line_of("b", 4), old], [], 8, 10.0, lambda a: a == "b").next_move() == Ask(Step.FETCH, old)


def test_once_all_places_are_taken_a_consumer_whose_queue_has_more_is_shut() -> None:
    waiting, empty = line_of("a", 2), line_of("b", None)
    waiting.is_open = empty.is_open = True
    holds = [hold_of("a", 2, waits=False), hold_of("b", 2, waits=False)]
    assert Allotment([waiting, empty], holds, 2, 0.0).next_move() == Ask(Step.SHUT, waiting)
    assert Allotment([waiting, empty], holds, 3, 0.0).next_move() == Ask(Step.FETCH, waiting)


def test_what_is_on_its_way_back_keeps_its_consumer_shut() -> None:
    line, going = line_of("a", None), hold_of("a", 2)
    going.send_back("")
    assert Allotment([line], [going], 2, 0.0).next_move() is None


def test_a_place_is_kept_for_what_is_being_fetched() -> None:
    fetching, other = line_of("a", 4), line_of("b", 4)
    fetching.is_busy = fetching.is_fetching = True
    assert Allotment([fetching, other], [], 1, 0.0).next_move() is None
    assert Allotment([fetching, other], [], 2, 0.0).next_move() == Ask(Step.FETCH, other)


def test_what_goes_back_is_the_newest_of_the_lowest_that_has_not_begun_and_its_consumer_is_shut_first() -> None:
    a, b = line_of("a", 2), line_of("b", 2)
    a.is_open = True
    begun, old, new, high = hold_of("b", 2, waits=False), hold_of("a", 2), hold_of("a", 2), hold_of("b", 7)
    holds = [begun, old, new, high]
    assert Allotment([a, b], holds, 3, 0.0).next_move() == Ask(Step.SHUT, a)
    a.is_open, a.is_busy = False, True
    assert isinstance(Allotment([a, b], holds, 3, 0.0).next_move(), Stuck)
    a.is_busy = False
    assert Allotment([a, b], holds, 3, 0.0).next_move() == SendBack(new)
    new.send_back("")
    assert Allotment([a, b], holds, 3, 0.0).next_move() is None


def test_beyond_its_own_limit_an_agent_gives_up_one_of_its_own() -> None:
    a, b = line_of("a", 2, limit=1), line_of("b", 2)
    low, own, urgent = hold_of("b", 0), hold_of("a", 2), hold_of("a", 9)
    assert Allotment([a, b], [low, own, urgent], 8, 0.0).next_move() == SendBack(own)


def test_a_more_urgent_task_is_fetched_beyond_the_bound() -> None:
    urgent, low = line_of("a", 9), hold_of("b", 2)
    assert Allotment([urgent, line_of("b", 2)], [low], 1, 0.0).next_move() == Ask(Step.FETCH, urgent)


def test_at_its_own_limit_an_agent_s_urgent_task_is_fetched_where_its_own_wait() -> None:
    urgent = line_of("a", 9, limit=1)
    others = line_of("b", 2)
    assert Allotment([urgent, others], [hold_of("a", 2), hold_of("b", 2)], 8, 0.0).next_move() == Ask(
        Step.FETCH, urgent
    )
    begun = [hold_of("a", 2, waits=False), hold_of("b", 2)]
    assert Allotment([urgent, others], begun, 8, 0.0).next_move() == Ask(Step.FETCH, others)
    assert isinstance(Allotment([urgent], begun, 8, 0.0).next_move(), Stuck)


def test_what_waits_for_other_tasks_takes_no_place_but_its_own_agents() -> None:
    line, full = line_of("a", 4), line_of("b", 4, limit=2)
    holds = [hold_of("b", 4), hold_of("b", 4)]
    with holds[0].elsewhere(), holds[1].elsewhere():
        assert Allotment([line], holds, 1, 0.0).next_move() == Ask(Step.FETCH, line)
        assert Allotment([full], holds, 1, 0.0).next_move() is None
        assert not any(hold.may_leave for hold in holds)
    assert Allotment([line], holds, 2, 0.0).next_move() is None
    assert isinstance(Allotment([line, full], holds, 1, 0.0).next_move(), SendBack)


def test_a_place_is_lent_as_long_as_any_of_several_others_is_awaited() -> None:
    hold, seen = hold_of("a", 4), []
    hold.on_change = lambda: seen.append(hold.is_elsewhere)
    with hold.elsewhere():
        with hold.elsewhere():
            pass
        assert hold.is_elsewhere
    assert seen == [True, True, True, False]


def test_what_is_paused_takes_part_in_nothing() -> None:
    away = line_of("a", 9)
    away.is_away = True
    assert Allotment([away], [], 8, 0.0).next_move() is None
    over = Allotment([away], [hold_of("a", 2), hold_of("a", 2)], 1, 0.0)
    assert isinstance(over.next_move(), Stuck)


def test_an_open_consumer_with_nothing_in_hand_takes_what_comes_by_itself() -> None:
    announced = line_of("a", 9)
    announced.is_open = True
    assert Allotment([announced], [], 8, 0.0).next_move() is None


class Host(RuleBasedStateMachine):
    """A host with four agents: whatever happens, the order of priorities and the bounds hold once it has acted."""

    @initialize(bound=st.integers(1, 6), limits=st.lists(st.integers(1, 3), min_size=4, max_size=4))
    def start(self, bound: int, limits: list[int]) -> None:
        self.model = IntakeModel(dict(zip(AGENTS, limits, strict=True)), bound)
        self.model.on_fetch = self.no_better_one_is_left

    def no_better_one_is_left(self, chosen: Line) -> None:
        model = self.model
        if model.counted < model.bound:
            others = [line for line in model.lines.values() if not line.is_away and not line.is_open]
            rivals = [line for line in others if len(model.held(line.agent)) < line.limit]
            assert all((line.backlog.top or 0) <= (chosen.backlog.top or 0) for line in rivals)

    @rule(agent=st.sampled_from(AGENTS), priority=st.integers(0, 9))
    def publish(self, agent: str, priority: int) -> None:
        self.model.publish(agent, priority)

    @rule(data=st.data())
    @precondition(lambda self: self.model.holds)
    def begin(self, data: st.DataObject) -> None:
        self.model.begin(data.draw(st.sampled_from(self.model.holds)))

    @rule(data=st.data())
    @precondition(lambda self: self.model.holds)
    def finish(self, data: st.DataObject) -> None:
        self.model.finish(data.draw(st.sampled_from(self.model.holds)))

    @rule(data=st.data())
    @precondition(lambda self: self.model.holds)
    def await_another(self, data: st.DataObject) -> None:
        self.model.await_another(data.draw(st.sampled_from(self.model.holds)))

    @rule(data=st.data())
    @precondition(lambda self: self.model.holds)
    def go_on(self, data: st.DataObject) -> None:
        self.model.go_on(data.draw(st.sampled_from(self.model.holds)))

    @rule(agent=st.sampled_from(AGENTS))
    def pause(self, agent: str) -> None:
        self.model.pause(agent)

    @rule(agent=st.sampled_from(AGENTS))
    def resume(self, agent: str) -> None:
        self.model.resume(agent)

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.model.now += seconds

    @invariant()
    def the_bounds_hold_where_anything_may_go_back(self) -> None:
        model = self.model
        leaving = [hold for hold in model.holds if hold.may_leave and not model.lines[hold.agent].is_away]
        assert model.counted <= model.bound or not leaving
        for agent, line in model.lines.items():
            own = model.held(agent)
            assert len(own) <= line.limit or not [hold for hold in own if hold in leaving]

    @invariant()
    def no_place_is_free_while_something_waits_for_it(self) -> None:
        if self.model.counted < self.model.bound:
            assert not [agent for agent in self.waiting() if self.has_room(agent)]

    @invariant()
    def nothing_urgent_waits_behind_something_that_has_not_begun(self) -> None:
        lowest = min((hold.priority for hold in self.model.holds if self.may_leave(hold)), default=9)
        for agent, top in self.waiting().items():
            own = [hold.priority for hold in self.model.held(agent) if self.may_leave(hold)]
            assert top <= (lowest if self.has_room(agent) else min(own, default=9)) or self.is_over()

    def waiting(self) -> dict[str, int]:
        lines = [line for line in self.model.lines.values() if not line.is_away]
        return {line.agent: max(queue) for line in lines if (queue := self.model.queues[line.agent])}

    def may_leave(self, hold: Hold) -> bool:
        return hold.may_leave and not self.model.lines[hold.agent].is_away

    def has_room(self, agent: str) -> bool:
        return len(self.model.held(agent)) < self.model.lines[agent].limit

    def is_over(self) -> bool:
        """Whether more is held than may be, and begun: then nothing more is fetched."""
        return self.model.counted > self.model.bound


TestHost = Host.TestCase
TestHost.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(0, 8), min_size=20, max_size=60), st.integers(4, 12))
def test_a_critical_task_comes_next_whatever_waits_and_wherever(priorities: list[int], bound: int) -> None:
    agents = [f"agent-{number}" for number in range(20)]
    model = IntakeModel(dict.fromkeys(agents, 3), bound)
    for number, priority in enumerate(priorities):
        model.publish(agents[number % 20], priority)
    for hold in model.holds[:2]:
        model.begin(hold)
    model.publish("agent-7", 9)
    assert 9 in [hold.priority for hold in model.holds]
    assert (len(model.holds), model.most) == (min(bound, len(priorities) + 1), min(bound, len(priorities)) + 1)
