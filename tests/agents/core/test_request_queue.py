"""What a program relies on when it submits requests."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import pytest

from agents.core.request_queue import (
    RequestPriority,
    RequestQueue,
)
from schemas import Priority
from tests.support.requests import Flaky, add, hang


@pytest.mark.parametrize(
    ("func", "args", "kwargs"),
    [
        (add, (1,), {"b": 2}),
        (partial(add, 1), (), {"b": 2}),
        (lambda a, b: add(a, b=b), (1, 2), {}),
        (lambda a, b: a + b, (1,), {"b": 2}),
        (max, (1, 3, 2), {}),
    ],
)
async def test_any_kind_of_function_can_be_submitted(
    func: Callable[..., object], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    async with RequestQueue() as queue:
        assert await queue.submit_and_wait(func, *args, **kwargs) == 3


async def test_a_blocking_function_does_not_block_the_loop() -> None:
    gate = threading.Event()
    async with RequestQueue() as queue:
        request = await queue.submit(gate.wait, 10)
        assert await queue.submit_and_wait(add, 1) == 1
        gate.set()
        assert await queue.get_result(request) is True


async def test_a_request_runs_in_the_context_of_its_submitter() -> None:
    scope: ContextVar[str] = ContextVar("scope", default="nobody")
    gate = asyncio.Event()

    async def whose() -> str:
        await gate.wait()
        return scope.get()

    async def submit_as(name: str) -> str:
        scope.set(name)
        return await queue.submit(whose)

    async with RequestQueue(max_concurrent=1) as queue:
        requests = [await asyncio.create_task(submit_as(name)) for name in "abc"]
        gate.set()
        assert [await queue.get_result(request) for request in requests] == ["a", "b", "c"]


async def test_priority_may_be_a_number_or_a_name_and_is_the_one_of_the_messages() -> None:
    assert RequestPriority is Priority
    order: list[object] = []

    async def note(name: object) -> None:
        order.append(name)

    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1) as queue:
        await queue.submit(gate.wait)
        for priority in (0, "low", 3, Priority.NORMAL, "critical", 9):
            await queue.submit(note, priority, priority=priority)
        assert queue.waiting_by_priority() == {"background": 1, "low": 2, "normal": 1, "critical": 2}
        gate.set()
        assert await queue.wait_for_completion(timeout=5)
        with pytest.raises(ValueError, match="priority '10' is not known"):
            await queue.submit(note, 1, priority=10)
    assert order == ["critical", 9, Priority.NORMAL, 3, "low", 0]


async def test_one_lane_at_a_time_runs_and_the_loaded_one_goes_on() -> None:
    running: list[str] = []
    seen: list[list[str]] = []
    order: list[str] = []

    async def ask(lane: str) -> None:
        running.append(lane)
        seen.append(sorted(set(running)))
        order.append(lane)
        await asyncio.sleep(0)
        running.remove(lane)

    async with RequestQueue(max_concurrent=2) as queue:
        for lane in ("tiny", "coder", "tiny", "coder", "tiny"):
            await queue.submit(ask, lane, lane=lane)
        assert await queue.wait_for_completion(timeout=5)
        assert queue.loaded_lane == "coder"
        assert queue.get_stats()["loaded_lane"] == "coder"
    assert order == ["tiny", "tiny", "tiny", "coder", "coder"]
    assert all(len(lanes) == 1 for lanes in seen)


async def test_several_may_wait_for_one_result_and_one_of_them_may_be_cancelled() -> None:
    gate = asyncio.Event()
    async with RequestQueue() as queue:
        request = await queue.submit(gate.wait)
        waiters = [asyncio.create_task(queue.get_result(request)) for _ in range(3)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        gate.set()
        assert await asyncio.gather(*waiters[1:]) == [True, True]
        assert waiters[0].cancelled()


async def test_an_error_that_is_asked_for_often_keeps_its_traceback_short() -> None:
    async with RequestQueue(max_retries=0) as queue:
        request = await queue.submit(Flaky(1))
        lengths = []
        for _ in range(3):
            with pytest.raises(ConnectionError) as caught:
                await queue.get_result(request)
            lengths.append(len(caught.traceback))
    assert len(set(lengths)) == 1


async def test_an_unknown_id_is_a_key_error_with_a_sentence() -> None:
    async with RequestQueue() as queue:
        with pytest.raises(KeyError, match="request 'nobody' is not known: check the id"):
            await queue.get_result("nobody")
        assert queue.get_request_status("nobody") is None


async def test_an_id_of_ones_own_must_be_new() -> None:
    gate = asyncio.Event()
    async with RequestQueue() as queue:
        assert await queue.submit(gate.wait, request_id="mine") == "mine"
        with pytest.raises(ValueError, match="request_id 'mine' is known already"):
            await queue.submit(hang, request_id="mine")
        gate.set()
        await queue.get_result("mine")
        with pytest.raises(ValueError, match="request_id 'mine' is known already"):
            await queue.submit(hang, request_id="mine")


async def test_something_urgent_that_an_end_sets_off_comes_before_what_already_waits() -> None:
    order: list[str] = []

    async def run(name: str) -> None:
        order.append(name)

    async with RequestQueue(max_concurrent=1, linger=lambda _: 0.2) as queue:
        first = await queue.submit(run, "low 1", priority="low")
        late = await queue.submit(run, "low 2", priority="low")
        await queue.get_result(first)
        await queue.submit(run, "critical", priority="critical")
        await queue.get_result(late, timeout=5)
        assert order == ["low 1", "critical", "low 2"]


async def test_a_slot_for_which_nobody_waits_is_free_at_once() -> None:
    async with RequestQueue(max_concurrent=1, linger=lambda _: 60.0) as queue:
        await queue.submit_and_wait(add, 1)
        assert queue.active == 0
        assert await queue.submit_and_wait(add, 2) == 2
