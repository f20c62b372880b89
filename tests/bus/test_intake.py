"""The intake where a real broker would take too long, or does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bus import intake as intake_module
from bus.broker import ConsumerState
from bus.errors import ConnectionLost
from bus.hold import Hold
from bus.intake import KNOWN_SECONDS, LOOK_SECONDS, OPENING_SECONDS, STALE_SECONDS, Intake, Share
from tests.support.clock import FakeClock
from tests.support.intake_model import Wait
from tests.support.waiting import wait_until


class GoingBack(Wait):
    """A wait whose delivery goes back at once when it is told to."""

    def __init__(self, queue: "FakeQueue", hold: Hold) -> None:
        super().__init__()
        self._queue = queue
        self._hold = hold

    def hand_back(self, reason: str) -> None:
        super().hand_back(reason)
        asyncio.get_running_loop().call_soon(self._queue.settle, self._hold)


class FakeQueue:
    """A subscription to a queue that a test fills; `faults` are raised, one each time it is asked."""

    def __init__(self, *priorities: int) -> None:
        self.waiting = list(priorities)
        self.faults: list[Exception] = []
        self.is_open = False
        self.looks = 0
        self.share: Share
        self.holds: list[Hold] = []

    @property
    def state(self) -> ConsumerState:
        return ConsumerState.CONSUMING if self.is_open else ConsumerState.PAUSED

    async def pause(self) -> None:
        self.is_open = False

    def resume(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def count(self) -> int:
        self.looks += 1
        if self.faults:
            raise self.faults.pop()
        return len(self.waiting)

    async def fetch(self) -> int | None:
        if self.faults:
            raise self.faults.pop()
        if not self.waiting:
            return None
        priority = max(self.waiting)
        self.waiting.remove(priority)
        self.deliver(priority)
        return len(self.waiting)

    def deliver(self, priority: int) -> None:
        hold = Hold(self.share.line.agent, priority)
        hold.waiting = GoingBack(self, hold)
        self.holds.append(hold)
        self.share.took(hold)

    def settle(self, hold: Hold) -> None:
        self.holds.remove(hold)
        if hold.is_leaving:
            hold.went_back = True
            self.waiting.append(hold.priority)
        self.share.left(hold)

    @property
    def priorities(self) -> list[int]:
        return [hold.priority for hold in self.holds]


@asynccontextmanager
async def at_work(bound: int, *queues: FakeQueue) -> AsyncIterator[tuple[Intake, FakeClock]]:
    clock = FakeClock()
    async with Intake(bound, clock=clock) as intake:
        for number, queue in enumerate(queues):
            queue.share = intake.admit(f"agent-{number}", 3, queue)
        yield intake, clock


async def later(intake: Intake, clock: FakeClock, seconds: float) -> None:
    """Let time pass, and the intake notice."""
    clock.now += seconds
    intake.wake()


async def until_both_known(one: FakeQueue, other: FakeQueue) -> None:
    """Wait until something was fetched from each, and one of the two deliveries went back."""
    lines = (one.share.line, other.share.line)

    def known() -> bool:
        is_rest = not any(line.is_busy or line.backlog.needs_look for line in lines)
        return is_rest and {line.backlog.top for line in lines} == {2} and len(one.holds) + len(other.holds) == 1

    await wait_until(known, what="the first fetches")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "RETRY_SECONDS", 0.01)


@pytest.mark.parametrize("fault", [ConnectionLost("away"), RuntimeError("a bug")])
async def test_a_queue_that_does_not_answer_is_asked_again(fault: Exception) -> None:
    silent, other = FakeQueue(4), FakeQueue(2)
    silent.faults = [fault]
    async with at_work(2, silent, other):
        await wait_until(lambda: (silent.priorities, other.priorities) == ([4], [2]), what="both to be fetched from")
        silent.waiting.append(9)
        silent.faults = [fault]
        silent.share.forget()
        await wait_until(lambda: silent.looks >= 3, what="another look after the fault")
        await wait_until(lambda: 9 in silent.priorities, what="what waits there")


async def test_after_a_fetch_without_an_answer_a_look_comes_first_since_it_keeps_no_place() -> None:
    queue = FakeQueue()
    async with at_work(1, queue) as (intake, _):
        await wait_until(lambda: queue.is_open, what="the first look")
        queue.deliver(4)
        queue.faults = [ConnectionLost("away")]  # for the fetch that follows
        looks = queue.looks
        intake.bound = 2
        intake.wake()
        await wait_until(lambda: queue.looks == looks + 1, what="a look")
        assert not queue.faults


async def test_what_nobody_announced_is_found_by_a_look_once_the_belief_is_stale() -> None:
    full, other = FakeQueue(2, 2), FakeQueue(2)
    async with at_work(1, full, other) as (intake, clock):
        await until_both_known(full, other)
        shut = other if full.holds else full
        shut.waiting.append(9)  # as after a crash elsewhere: it came back, and nobody heard of it
        await later(intake, clock, LOOK_SECONDS + 1)
        looks = shut.looks
        await later(intake, clock, STALE_SECONDS + 1)
        await wait_until(lambda: 9 in shut.priorities and intake.held == 1, what="the urgent one")
        assert shut.looks > looks


async def test_who_waits_for_another_task_leaves_its_place_at_once_and_what_took_it_goes_back_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "LOOK_SECONDS", 1_000)
    monkeypatch.setattr(intake_module, "STUCK_SECONDS", 1_000)
    queue = FakeQueue(4, 4)
    async with at_work(1, queue) as (intake, _):
        await wait_until(lambda: len(queue.holds) == 1, what="the first one")
        first = queue.holds[0]
        with first.elsewhere():
            await wait_until(lambda: len(queue.holds) == 2, what="the second one in its place")
        await wait_until(lambda: queue.holds == [first], what="the second one to go back")
        assert intake.held == 1


async def test_a_lost_connection_leaves_no_belief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "LOOK_SECONDS", 1_000)
    full, other = FakeQueue(2, 2), FakeQueue(2)
    async with at_work(1, full, other) as (intake, _):
        await until_both_known(full, other)
        shut = other if full.holds else full
        shut.waiting.append(9)
        intake.forget()
        await wait_until(lambda: 9 in shut.priorities and intake.held == 1, what="the urgent one")


async def test_a_deaf_host_looks_sooner() -> None:
    full, other = FakeQueue(2, 2), FakeQueue(2)
    async with at_work(1, full, other) as (intake, clock):
        intake.is_deaf = True
        await until_both_known(full, other)
        shut = other if full.holds else full
        shut.waiting.append(9)
        await later(intake, clock, LOOK_SECONDS + 1)
        await wait_until(lambda: 9 in shut.priorities and intake.held == 1, what="the urgent one")


async def test_a_handler_that_comes_to_wait_gives_up_its_place_a_moment_later() -> None:
    busy, urgent = FakeQueue(2), FakeQueue()
    async with at_work(1, busy, urgent) as (intake, _):
        await wait_until(lambda: intake.held == 1, what="the bound")
        wait = busy.holds[0].waiting
        assert isinstance(wait, Wait)
        wait.waits = False
        await wait_until(lambda: urgent.is_open, what="the other consumer")
        urgent.deliver(9)
        await asyncio.sleep(0)
        assert not busy.holds[0].is_leaving
        wait.waits = True
        await wait_until(lambda: wait.was_ended, what="it to give way")
        assert urgent.priorities == [9]


async def test_a_consumer_that_steps_aside_is_asked_nothing_until_it_steps_in() -> None:
    queue = FakeQueue(4)
    async with at_work(1, queue) as (intake, clock):
        await wait_until(lambda: intake.held == 1, what="the fetch")
        queue.share.step_aside()
        queue.settle(queue.holds[0])
        queue.waiting.append(9)
        looks = queue.looks
        await later(intake, clock, LOOK_SECONDS + 1)
        await asyncio.sleep(0)
        assert (queue.looks, queue.holds) == (looks, [])
        queue.share.step_in()
        await wait_until(lambda: queue.priorities == [9], what="the fetch")


async def test_a_fault_of_the_hint_which_model_is_loaded_stops_nothing_for_long() -> None:
    faults: list[Exception] = [RuntimeError("a bug")]

    def prefers(_: str) -> bool:
        if faults:
            raise faults.pop()
        return False

    queue = FakeQueue(4)
    async with Intake(1, prefers=prefers) as intake:
        queue.share = intake.admit("agent-0", 3, queue)
        await wait_until(lambda: queue.priorities == [4], what="the fetch")
    assert not faults


class Opened(FakeQueue):
    """A queue that notes when one of its handlers may begin."""

    def __init__(self, name: str, notes: list[str], *priorities: int) -> None:
        super().__init__(*priorities)
        self._name = name
        self._notes = notes

    def note(self) -> None:
        self._notes.append(self._name)


@asynccontextmanager
async def opening(bound: int, *queues: Opened) -> AsyncIterator[tuple[Intake, FakeClock]]:
    """An intake at its beginning, each queue with an agent that works on two at once."""
    clock = FakeClock()
    async with Intake(bound, clock=clock) as intake:
        for number, queue in enumerate(queues):
            queue.share = intake.admit(f"agent-{number}", 2, queue, queue.note)
        yield intake, clock


async def test_no_work_begins_before_all_queues_are_known_and_the_most_urgent_begins_first() -> None:
    notes: list[str] = []
    low, mixed, empty = Opened("low", notes, 2, 2), Opened("mixed", notes, 9, 4), Opened("empty", notes)
    async with opening(3, low, mixed, empty) as (intake, _):
        await wait_until(lambda: intake.held == 3 and mixed.priorities == [9, 4], what="the first fetches")
        assert not notes
        intake.all_are_in()
        await wait_until(lambda: len(notes) == 6, what="the slots")
        assert notes == ["mixed", "mixed", "low", "low", "empty", "empty"]
        late = Opened("late", notes)
        late.share = intake.admit("late", 2, late, late.note)
        assert notes[6:] == ["late", "late"]


async def test_a_queue_that_does_not_answer_keeps_the_work_of_others_for_two_seconds_at_most() -> None:
    notes: list[str] = []
    silent, other = Opened("silent", notes), Opened("other", notes, 2)
    silent.faults = [ConnectionLost("away")] * 10_000
    async with opening(2, silent, other) as (intake, clock):
        intake.all_are_in()
        await wait_until(lambda: other.priorities == [2] and silent.looks > 1, what="the fetch")
        assert not notes
        await later(intake, clock, KNOWN_SECONDS)
        await wait_until(lambda: len(notes) == 4, what="the slots")
        assert notes[0] == "other"


async def test_an_agent_that_does_not_get_in_keeps_the_work_of_others_for_some_seconds_at_most() -> None:
    notes: list[str] = []
    async with opening(2, Opened("in", notes, 2)) as (intake, clock):
        await later(intake, clock, OPENING_SECONDS - 1)
        await wait_until(lambda: intake.held == 1, what="the fetch")
        assert not notes
        await later(intake, clock, 1)
        await wait_until(lambda: notes == ["in", "in"], what="the slots")


async def test_the_work_begins_in_time_though_nothing_happens_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "OPENING_SECONDS", 0.05)
    notes: list[str] = []
    queue = Opened("idle", notes)
    async with Intake(1) as intake:
        queue.share = intake.admit("agent-0", 2, queue, queue.note)
        await wait_until(lambda: len(notes) == 2, LOOK_SECONDS - 2, what="the slots")


async def test_what_is_heard_of_unknown_agents_is_no_business_of_this_host() -> None:
    async with at_work(1, FakeQueue()) as (intake, _):
        intake.heard("somebody-else", 9)
        assert intake.held == 0
