"""How far a task has come: told often, announced seldom, the last word always."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agents import BaseAgentV2
from agents.core.progress import PAUSE_SECONDS, Progress, told_of
from schemas import EventKind, TaskEvent, TaskMessage
from tests.support.agent_world import AgentWorld, agent_world, attempt_at


class FakeLoop:
    """What Progress needs of an event loop, with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], None]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> "FakeTimer":
        self.timers.append((self.now + delay, callback))
        return FakeTimer(self, self.timers[-1])

    def run(self, until: float = 0.0) -> None:
        """Run what is due, up to a moment."""
        while self.soon:
            self.soon.pop(0)()
        self.now = max(self.now, until)
        due = [timer for timer in self.timers if timer[0] <= self.now]
        for timer in due:
            self.timers.remove(timer)
            timer[1]()


class FakeTimer:
    def __init__(self, loop: FakeLoop, timer: tuple[float, Callable[[], None]]) -> None:
        self._loop, self._timer = loop, timer

    def cancel(self) -> None:
        if self._timer in self._loop.timers:
            self._loop.timers.remove(self._timer)


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def said() -> list[int]:
    return []


@pytest.fixture
def progress(loop: FakeLoop, said: list[int]) -> Progress:
    def announce(*, at: int) -> None:
        said.append(at)

    return Progress(announce, loop)  # type: ignore[arg-type] # the part of a loop that it uses


async def over(progress: Progress) -> None:
    async with progress:
        pass


def test_the_first_word_goes_out_at_once_and_the_next_after_a_pause(
    loop: FakeLoop, said: list[int], progress: Progress
) -> None:
    progress.tell({"at": 1})
    loop.run()
    assert said == [1]
    for at in (2, 3, 4):
        progress.tell({"at": at})
    loop.run(PAUSE_SECONDS * 0.9)
    assert said == [1]
    loop.run(PAUSE_SECONDS)
    assert said == [1, 4]
    loop.run(PAUSE_SECONDS * 3)
    progress.tell({"at": 5})
    loop.run()
    assert said == [1, 4, 5]


def test_a_loop_over_a_hundred_thousand_items_costs_next_to_nothing(
    loop: FakeLoop, said: list[int], progress: Progress
) -> None:
    for at in range(100_000):
        progress.tell({"at": at})
    assert len(loop.soon) == 1
    loop.run()
    assert said == [99_999]


async def test_the_last_word_goes_out_at_the_end_and_what_comes_after_it_does_not(
    loop: FakeLoop, said: list[int], progress: Progress
) -> None:
    progress.tell({"at": 1})
    loop.run()
    progress.tell({"at": 2})
    loop.run()
    progress.tell({"at": 3})
    await over(progress)
    assert said == [1, 3]
    progress.tell({"at": 4})
    loop.run(PAUSE_SECONDS * 2)
    assert (said, loop.timers) == ([1, 3], [])


async def test_what_is_told_at_the_very_end_is_told_once(loop: FakeLoop, said: list[int], progress: Progress) -> None:
    progress.tell({"at": 1})
    await over(progress)
    loop.run()
    assert said == [1]


@pytest.mark.parametrize(
    ("told", "event"),
    [
        ((0.25, None), {"fraction": 0.25, "message": None, "pages": 3}),
        ((1, "done"), {"fraction": 1.0, "message": "done", "pages": 3}),
        (("reading", None), {"fraction": None, "message": "reading", "pages": 3}),
    ],
)
def test_a_word_is_a_fraction_a_text_or_both(told: tuple[Any, Any], event: dict[str, Any]) -> None:
    assert told_of(*told, {"pages": 3}) == event


@pytest.mark.parametrize("at", [-0.1, 1.1, float("nan"), float("inf"), 50])
def test_what_is_no_fraction_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match=r"progress is .*: tell a fraction from 0 to 1, or a text"):
        told_of(at, None, {})


def test_two_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="two texts, 'a' and 'b'"):
        told_of("a", "b", {})


class Counter(BaseAgentV2):
    """Counts, in the event loop and then in a thread."""

    needs_model = False

    async def process_task(self, _task: TaskMessage) -> str:
        self.progress("here", number=1)
        await asyncio.to_thread(self.count)
        return "done"

    def count(self) -> None:
        for number in range(10_000):
            self.progress((number + 1) / 10_000, "there", number=number)


async def told(world: AgentWorld) -> list[TaskEvent]:
    async with world.client.events(agent="counter", kind=EventKind.PROGRESS) as events:
        await world.client.ask("counter", "x", timeout=10)
        seen = [await anext(events)]
        while seen[-1].data.get("fraction") != 1:
            seen.append(await anext(events))
    return seen


async def test_an_agent_tells_its_progress_from_its_handler_and_from_threads() -> None:
    async with agent_world(Counter()) as world, asyncio.timeout(20):
        events = await told(world)
    first, last = events[0].data, events[-1].data
    assert (first["message"], first["number"]) in [("here", 1), ("there", first["number"])]
    assert (last["message"], last["number"], last["fraction"]) == ("there", 9_999, 1.0)
    assert len(events) < 20


async def test_outside_a_task_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="progress works within process_task"):
        Counter().progress(0.5)


async def test_what_has_no_json_is_not_told_and_harms_nothing() -> None:
    class Odd(Counter):
        async def process_task(self, _task: TaskMessage) -> str:
            self.progress(0.5, thing=object())
            return "done"

    async with agent_world(Odd(name="counter")) as world:
        assert (await world.client.ask("counter", "x", timeout=10)).result == "done"


async def test_a_handler_run_by_a_test_tells_its_attempt() -> None:
    said: list[tuple[str, dict[str, Any]]] = []

    def emit(kind: EventKind, **data: Any) -> None:
        said.append((kind, data))

    await Counter().handle(attempt_at(TaskMessage(agent="counter", prompt="x"), emit))
    assert said[-1] == (EventKind.PROGRESS, {"fraction": 1.0, "message": "there", "number": 9_999})
