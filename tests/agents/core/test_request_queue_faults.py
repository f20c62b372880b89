"""One test for each fault that was measured in the earlier queue, named after it: each shows that it is absent."""

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


async def test_fault_critical_ran_after_8_low() -> None:
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


async def test_fault_9_pending_with_a_limit_of_3_and_no_queue_full_error() -> None:
    gate = asyncio.Event()
    async with RequestQueue(max_queue_size=3, max_concurrent=2, name="model") as queue:
        for _ in range(5):
            await queue.submit(gate.wait)
        for _ in range(6):
            with pytest.raises(QueueFullError, match=r"queue 'model' is full, max_queue_size=3.*raise the limit"):
                await queue.submit(gate.wait)
        stats = queue.get_stats()
        assert (stats["current_queue_size"], stats["current_active"], stats["rejected_requests"]) == (3, 2, 6)
        assert stats["total_requests"] == 5


async def test_fault_max_retries_0_made_3_attempts() -> None:
    attempts = 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        raise ConnectionError

    async with RequestQueue(backoff=lambda _retry: 0) as queue:
        with pytest.raises(ConnectionError):
            await queue.submit_and_wait(attempt, max_retries=0)
    assert attempts == 1


async def test_fault_no_back_off() -> None:
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


async def test_fault_cancelling_a_running_request_did_nothing() -> None:
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


async def test_fault_cancelling_an_unknown_request_returned_true() -> None:
    async with RequestQueue() as queue:
        assert not await queue.cancel_request("nobody")
        done = await queue.submit(lambda: 1)
        await queue.get_result(done)
        assert not await queue.cancel_request(done)


async def test_fault_a_second_get_result_raised() -> None:
    async with RequestQueue(max_retries=0) as queue:
        good = await queue.submit(lambda: "answer")
        bad = await queue.submit(fail)
        for _ in range(3):
            assert await queue.get_result(good) == "answer"
            with pytest.raises(ConnectionError, match="down"):
                await queue.get_result(bad)


async def test_fault_a_sync_function_with_keyword_arguments_raised() -> None:
    async with RequestQueue() as queue:
        assert await queue.submit_and_wait(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]


def test_fault_constructing_it_outside_a_loop_raised() -> None:
    queue = RequestQueue()

    async def ask() -> object:
        result = await queue.submit_and_wait(lambda: "answer")
        await queue.wait_for_completion()
        return result

    assert asyncio.run(ask()) == "answer"
    assert asyncio.run(ask()) == "answer"


async def test_fault_averages_read_0_for_a_minute() -> None:
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


async def test_fault_an_empty_queue_was_falsy_so_close_was_skipped_and_its_tasks_leaked() -> None:
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
