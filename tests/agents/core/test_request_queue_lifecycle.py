"""Cancelling, clearing, completing and closing."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from agents.core.request_queue import (
    QueueClosedError,
    RequestCancelledError,
    RequestQueue,
    RequestStatus,
)
from tests.support.requests import hang
from tests.support.waiting import wait_until


async def fail() -> None:
    raise ConnectionError("down")


async def test_a_waiting_request_can_be_cancelled_and_never_runs() -> None:
    ran = False

    async def run() -> None:
        nonlocal ran
        ran = True

    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1) as queue:
        await queue.submit(gate.wait)
        request = await queue.submit(run)
        assert await queue.cancel_request(request)
        assert not await queue.cancel_request(request)
        gate.set()
        assert await queue.wait_for_completion(timeout=5)
        with pytest.raises(RequestCancelledError, match=f"request '{request}' was cancelled"):
            await queue.get_result(request)
        assert queue.get_stats()["cancelled_requests"] == 1
    assert not ran


async def test_a_request_that_is_cancelled_before_its_first_step_frees_its_slot() -> None:
    async with RequestQueue(max_concurrent=1) as queue:
        request = await queue.submit(hang)
        assert await queue.cancel_request(request)
        async with asyncio.timeout(5):
            assert await queue.submit_and_wait(lambda: "answer") == "answer"


async def test_cancelling_a_request_that_waits_for_its_retry_ends_it() -> None:
    attempts = 0

    async def count_and_fail() -> None:
        nonlocal attempts
        attempts += 1
        await fail()

    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    async with RequestQueue(backoff=lambda _: 0.05) as queue:
        request = await queue.submit(count_and_fail)
        await wait_until(lambda: queue.waiting == 1, what="the retry to wait")
        assert await queue.cancel_request(request)
        assert queue.waiting == 0
        await asyncio.sleep(0.1)
    assert attempts == 1
    assert not errors


async def test_cancelling_what_waits_for_a_drain_lets_others_start() -> None:
    async with RequestQueue(max_concurrent=2) as queue:
        await queue.submit(hang, lane="tiny")
        other = await queue.submit(hang, lane="coder", priority="high")
        follower = await queue.submit(hang, lane="tiny")
        assert queue.get_request_status(follower) is RequestStatus.QUEUED
        await queue.cancel_request(other)
        assert queue.get_request_status(follower) is RequestStatus.PROCESSING


async def test_cancelling_the_waiter_cancels_its_request() -> None:
    running, stopped = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await hang()
        finally:
            stopped.set()

    async with RequestQueue(max_concurrent=1) as queue:
        waiter = asyncio.create_task(queue.submit_and_wait(work, request_id="r1"))
        async with asyncio.timeout(5):
            await running.wait()
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            await stopped.wait()
            assert await queue.submit_and_wait(lambda: "answer") == "answer"
        assert queue.get_stats()["cancelled_requests"] == 1


async def test_what_was_waited_for_is_not_kept() -> None:
    async with RequestQueue() as queue:
        assert await queue.submit_and_wait(lambda: "answer", request_id="r1") == "answer"
        assert queue.get_request_status("r1") is None


async def test_the_result_of_a_cancelled_request_does_not_cancel_who_asks() -> None:
    async with RequestQueue() as queue:
        request = await queue.submit(hang)
        asker = asyncio.create_task(queue.get_result(request))
        await asyncio.sleep(0)
        await queue.cancel_request(request)
        with pytest.raises(RequestCancelledError):
            await asker
        assert not asker.cancelled()


async def test_a_function_that_swallows_its_cancellation_stays_cancelled() -> None:
    running = asyncio.Event()

    async def stubborn() -> str:
        running.set()
        try:
            await hang()
        except asyncio.CancelledError:
            return "too late"
        return ""

    async with RequestQueue() as queue:
        request = await queue.submit(stubborn)
        await running.wait()
        await queue.cancel_request(request)
        await queue.close()
        assert queue.get_request_status(request) is RequestStatus.CANCELLED
        assert queue.get_stats()["completed_requests"] == 0


async def test_a_slot_is_taken_until_the_cancelled_function_has_cleaned_up() -> None:
    running, cleaned = asyncio.Event(), asyncio.Event()

    async def tidy() -> None:
        running.set()
        try:
            await hang()
        finally:
            await cleaned.wait()

    async with RequestQueue(max_concurrent=1) as queue:
        request = await queue.submit(tidy)
        await running.wait()
        await queue.cancel_request(request)
        follower = await queue.submit(lambda: "answer")
        await asyncio.sleep(0)
        assert queue.active == 1
        assert queue.get_request_status(follower) is RequestStatus.QUEUED
        cleaned.set()
        assert await queue.get_result(follower, timeout=5) == "answer"


async def test_the_slot_of_a_cancelled_thread_is_free_although_the_thread_runs_on() -> None:
    running, gate = threading.Event(), threading.Event()

    def block() -> None:
        running.set()
        gate.wait(10)

    async with RequestQueue(max_concurrent=1) as queue:
        request = await queue.submit(block)
        await asyncio.to_thread(running.wait, 10)
        await queue.cancel_request(request)
        assert await queue.submit_and_wait(hang_not) == "answer"
        gate.set()


async def hang_not() -> str:
    return "answer"


async def test_a_function_that_cancels_itself_ends_as_cancelled() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    async with RequestQueue() as queue:
        with pytest.raises(RequestCancelledError, match="by its function or its event loop"):
            await queue.submit_and_wait(give_up)


def test_a_function_that_ends_the_program_leaves_its_request_cancelled() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    queue = RequestQueue()
    with pytest.raises(SystemExit):
        asyncio.run(queue.submit_and_wait(leave, request_id="r1"))
    assert queue.get_stats()["cancelled_requests"] == 1
    assert queue.active == 0


async def test_clear_queue_cancels_what_waits_and_leaves_what_runs() -> None:
    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=2, backoff=lambda _: 60) as queue:
        running = await queue.submit(gate.wait, lane="tiny")
        retrying = await queue.submit(fail, lane="tiny")
        await wait_until(lambda: queue.waiting == 1, what="the retry to wait")
        high = await queue.submit(hang, lane="coder", priority="high")
        behind = await queue.submit(hang, lane="tiny")
        assert await queue.clear_queue() == 3
        assert [queue.get_request_status(r) for r in (retrying, high, behind)] == [RequestStatus.CANCELLED] * 3
        assert queue.active == 1
        gate.set()
        assert await queue.get_result(running) is True


async def test_wait_for_completion_tells_whether_all_is_done() -> None:
    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1) as queue:
        assert await queue.wait_for_completion(timeout=0.01)
        await queue.submit(gate.wait)
        await queue.submit(gate.wait)
        assert not await queue.wait_for_completion(timeout=0.01)
        gate.set()
        assert await queue.wait_for_completion(timeout=5)
        assert (queue.waiting, queue.active) == (0, 0)


async def test_a_closed_queue_refuses_requests_and_may_be_closed_again() -> None:
    queue = RequestQueue(name="model")
    await queue.close()
    await queue.close()
    with pytest.raises(QueueClosedError, match="queue 'model' is closed"):
        await queue.submit(hang)


async def test_close_waits_until_the_functions_have_ended() -> None:
    running, cleaned = asyncio.Event(), False

    async def work() -> None:
        nonlocal cleaned
        running.set()
        try:
            await hang()
        finally:
            await asyncio.sleep(0)
            cleaned = True

    queue = RequestQueue()
    await queue.submit(work)
    await running.wait()
    await queue.close()
    assert cleaned


async def test_close_ends_a_pending_retry() -> None:
    async with RequestQueue(backoff=lambda _: 60) as queue:
        request = await queue.submit(fail)
        await wait_until(lambda: queue.waiting == 1, what="the retry to wait")
    with pytest.raises(RequestCancelledError):
        await queue.get_result(request)


async def test_a_request_may_close_its_own_queue() -> None:
    closed = asyncio.Event()

    async def shut_down(close: Callable[[], Awaitable[None]]) -> None:
        await close()
        closed.set()

    queue = RequestQueue()
    await queue.submit(hang)
    await queue.submit(shut_down, queue.close)
    async with asyncio.timeout(5):
        await closed.wait()


async def test_each_attempt_is_a_named_task() -> None:
    names: list[str] = []

    async def name() -> None:
        task = asyncio.current_task()
        names.append(task.get_name() if task else "")

    async with RequestQueue(name="model") as queue:
        await queue.submit_and_wait(name, request_id="r1")
    assert names == ["model:r1"]
