"""One test for each fault that was measured in the earlier queue."""

import asyncio
import gc

import pytest

from agents.core.request_queue import (
    QueueFullError,
    RequestCancelledError,
    RequestPriority,
    RequestQueue,
    RequestStatus,
)


async def fail() -> None:
    raise ConnectionError("the model server is down")


async def test_critical_runs_before_eight_low_that_came_first() -> None:
    order: list[str] = []
    gate = asyncio.Event()

    async def note(name: str) -> None:
        order.append(name)

    async with RequestQueue(max_concurrent=1) as queue:
        await queue.submit(gate.wait)
        for number in range(8):
            await queue.submit(note, f"low {number}", priority=RequestPriority.LOW)
        await queue.submit(note, "critical", priority=RequestPriority.CRITICAL)
        gate.set()
        assert await queue.wait_for_completion(timeout=5)
    assert order == ["critical", *(f"low {number}" for number in range(8))]


async def test_the_limit_of_three_waiting_is_kept_and_the_fourth_refused() -> None:
    gate = asyncio.Event()
    async with RequestQueue(max_queue_size=3, max_concurrent=2, name="model") as queue:
        for _ in range(5):
            await queue.submit(gate.wait)
        with pytest.raises(QueueFullError, match=r"queue 'model' is full, max_queue_size=3.*raise the limit"):
            await queue.submit(gate.wait)
        stats = queue.get_stats()
        assert (stats["current_queue_size"], stats["current_active"], stats["rejected_requests"]) == (3, 2, 1)
        assert stats["total_requests"] == 5


async def test_max_retries_0_makes_exactly_one_attempt() -> None:
    attempts = 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        raise ConnectionError

    async with RequestQueue(backoff=lambda _retry: 0) as queue:
        with pytest.raises(ConnectionError):
            await queue.submit_and_wait(attempt, max_retries=0)
    assert attempts == 1


async def test_a_retry_waits_its_back_off_without_a_slot() -> None:
    asked: list[int] = []
    other_ran = asyncio.Event()

    def backoff(retry: int) -> float:
        asked.append(retry)
        return 60

    async def other() -> None:
        other_ran.set()

    async with RequestQueue(max_concurrent=1, backoff=backoff) as queue:
        failing = await queue.submit(fail)
        await queue.submit(other)
        async with asyncio.timeout(5):
            await other_ran.wait()
        assert asked == [1]
        assert queue.get_request_status(failing) is RequestStatus.QUEUED
        assert queue.waiting == 1


async def test_cancelling_a_running_request_stops_it_and_frees_its_slot() -> None:
    running, stopped, next_ran = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def follow() -> None:
        next_ran.set()

    async with RequestQueue(max_concurrent=1) as queue:
        request = await queue.submit(work)
        await queue.submit(follow)
        async with asyncio.timeout(5):
            await running.wait()
            assert await queue.cancel_request(request)
            await next_ran.wait()
        assert stopped.is_set()
        assert queue.get_request_status(request) is RequestStatus.CANCELLED


async def test_cancelling_an_unknown_or_finished_request_is_false() -> None:
    async with RequestQueue() as queue:
        assert not await queue.cancel_request("nobody")
        done = await queue.submit(lambda: 1)
        await queue.get_result(done)
        assert not await queue.cancel_request(done)


async def test_a_result_may_be_asked_for_again() -> None:
    async with RequestQueue(max_retries=0) as queue:
        good = await queue.submit(lambda: "answer")
        bad = await queue.submit(fail)
        for _ in range(3):
            assert await queue.get_result(good) == "answer"
            with pytest.raises(ConnectionError, match="down"):
                await queue.get_result(bad)


async def test_a_sync_function_takes_keyword_arguments() -> None:
    async with RequestQueue() as queue:
        assert await queue.submit_and_wait(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]


def test_it_can_be_made_outside_a_loop_and_used_in_two_loops() -> None:
    queue = RequestQueue()

    async def ask() -> object:
        result = await queue.submit_and_wait(lambda: "answer")
        await queue.wait_for_completion()
        return result

    assert asyncio.run(ask()) == "answer"
    assert asyncio.run(ask()) == "answer"


async def test_averages_are_true_at_once() -> None:
    now = 0.0
    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1, clock=lambda: now) as queue:
        first = await queue.submit(gate.wait)
        second = await queue.submit(gate.wait)
        now = 4.0
        gate.set()
        await queue.get_result(first)
        await queue.get_result(second)
        stats = queue.get_stats()
    assert stats["average_queue_time"] == 2
    assert stats["average_processing_time"] == 2
    assert stats["throughput_per_second"] == 0.5


async def test_an_empty_queue_is_true_and_close_leaves_no_task_behind() -> None:
    queue = RequestQueue(max_concurrent=1)
    assert bool(queue) is True
    running = await queue.submit(asyncio.Event().wait)
    waiting = await queue.submit(asyncio.Event().wait)
    await asyncio.sleep(0)
    await queue.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for request in (running, waiting):
        with pytest.raises(RequestCancelledError, match="queue was closed"):
            await queue.get_result(request)
    gc.collect()
