"""Places in the line that outlive one request, and deadlines for leaving it."""

import asyncio
import gc
import weakref

import pytest

from agents.core.request_queue import RequestQueue, RequestStatus, RequestTimeoutError
from tests.support.requests import Flaky, add, hang
from tests.support.waiting import wait_until


async def test_a_ticket_keeps_the_place_of_what_is_submitted_anew() -> None:
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)

    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1) as queue:
        ticket = queue.ticket()
        await queue.submit_and_wait(note, "first try", place=ticket)
        await queue.submit(gate.wait)
        for name in ("second", "third"):
            await queue.submit(note, name)
        await queue.submit(note, "second try", place=ticket)
        gate.set()
        assert await queue.wait_for_completion(timeout=5)
    assert order == ["first try", "second try", "second", "third"]


async def test_a_ticket_keeps_the_arrival_so_that_its_lane_becomes_overdue_in_time() -> None:
    now = 0.0
    gate = asyncio.Event()
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)

    async with RequestQueue(max_concurrent=1, lane_bound=30, clock=lambda: now) as queue:
        ticket = queue.ticket()
        await queue.submit(gate.wait, lane="tiny")
        now = 31.0
        await queue.submit(note, "tiny", lane="tiny")
        await queue.submit(note, "coder", lane="coder", place=ticket)
        gate.set()
        assert await queue.wait_for_completion(timeout=5)
    assert order == ["coder", "tiny"]


async def test_each_submission_with_a_ticket_waits_from_its_own_start_in_the_statistics() -> None:
    now = 0.0
    async with RequestQueue(clock=lambda: now) as queue:
        ticket = queue.ticket()
        now = 100.0
        await queue.submit_and_wait(add, 1, place=ticket)
        now = 101.0
        stats = queue.get_stats()
    assert (stats["average_queue_time"], stats["throughput_per_second"]) == (0, 1)


async def test_a_request_that_waits_past_its_deadline_times_out_and_never_runs() -> None:
    flaky, loop = Flaky(0), asyncio.get_running_loop()
    async with RequestQueue(max_concurrent=1, clock=loop.time) as queue:
        running = await queue.submit(hang)
        request = await queue.submit(flaky, deadline=loop.time() + 0.02)
        with pytest.raises(RequestTimeoutError, match=f"request '{request}' waited for a slot past its deadline"):
            await queue.get_result(request, timeout=5)
        assert queue.get_request_status(request) is RequestStatus.TIMEOUT
        await queue.cancel_request(running)
        assert await queue.submit_and_wait(add, 1) == 1
        stats = queue.get_stats()
    assert flaky.attempts == 0
    assert (stats["timeout_requests"], stats["current_queue_size"]) == (1, 0)


async def test_what_waited_past_its_deadline_does_not_start_although_the_loop_is_late() -> None:
    now = 0.0
    flaky = Flaky(0)
    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1, clock=lambda: now) as queue:
        await queue.submit(gate.wait)
        request = await queue.submit(flaky, deadline=1000.0)
        now = 1000.0
        gate.set()
        with pytest.raises(RequestTimeoutError):
            await queue.get_result(request, timeout=5)
    assert flaky.attempts == 0


async def test_a_deadline_that_has_passed_already_is_a_timeout_at_once() -> None:
    flaky = Flaky(0)
    async with RequestQueue(clock=lambda: 5.0) as queue:
        request = await queue.submit(flaky, deadline=4.0)
        assert queue.get_request_status(request) is RequestStatus.TIMEOUT
    assert flaky.attempts == 0


async def test_a_request_that_runs_at_its_deadline_goes_on() -> None:
    now = 0.0
    gate = asyncio.Event()
    async with RequestQueue(clock=lambda: now) as queue:
        request = await queue.submit(gate.wait, deadline=1.0)
        now = 2.0
        await queue.submit_and_wait(add, 1)
        gate.set()
        assert await queue.get_result(request, timeout=5) is True


async def test_a_retry_that_would_come_past_the_deadline_is_not_made() -> None:
    flaky = Flaky(9)
    async with RequestQueue(clock=lambda: 0.0, backoff=lambda retry: 10.0 * retry) as queue:
        with pytest.raises(ConnectionError, match="attempt 1"):
            await queue.submit_and_wait(flaky, deadline=10.0)
        assert queue.get_stats()["failed_requests"] == 1
    assert flaky.attempts == 1


async def test_a_retry_that_waits_for_its_slot_past_the_deadline_times_out() -> None:
    now = 0.0
    flaky, running = Flaky(1), asyncio.Event()

    async def run() -> None:
        running.set()
        await hang()

    async with RequestQueue(max_concurrent=1, clock=lambda: now, backoff=lambda _: 0.0) as queue:
        request = await queue.submit(flaky, deadline=10.0)
        await queue.submit(run)
        async with asyncio.timeout(5):
            await running.wait()
        now = 10.0
        await queue.submit(hang)
        assert queue.get_request_status(request) is RequestStatus.TIMEOUT
    assert flaky.attempts == 1


async def test_an_expired_lane_no_longer_keeps_others_from_starting() -> None:
    loop = asyncio.get_running_loop()
    async with RequestQueue(max_concurrent=2, clock=loop.time) as queue:
        await queue.submit(hang, lane="tiny")
        await queue.submit(hang, lane="coder", priority="high", deadline=loop.time() + 0.02)
        low = await queue.submit(add, 1, lane="tiny", priority="low")
        assert queue.get_request_status(low) is RequestStatus.QUEUED
        assert await queue.get_result(low, timeout=5) == 1


async def test_a_request_that_is_done_is_not_kept_until_its_deadline() -> None:
    async with RequestQueue() as queue:
        flaky = Flaky(0)
        await queue.submit_and_wait(flaky, deadline=asyncio.get_running_loop().time() + 1000)
        is_kept = weakref.ref(flaky)
        del flaky
        gc.collect()
        assert is_kept() is None


async def test_a_deadline_means_nothing_to_a_request_that_is_done() -> None:
    errors: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    async with RequestQueue(clock=loop.time) as queue:
        deadline = loop.time() + 0.02
        assert await queue.submit_and_wait(add, 1, deadline=deadline) == 1
        cancelled = await queue.submit(hang, deadline=deadline)
        await queue.cancel_request(cancelled)
        late = await queue.submit(hang, deadline=deadline)
        await wait_until(lambda: loop.time() > deadline, what="the deadline to pass")
        assert queue.get_request_status(late) is RequestStatus.PROCESSING
        stats = queue.get_stats()
    assert not errors
    assert (stats["timeout_requests"], stats["cancelled_requests"], stats["completed_requests"]) == (0, 1, 1)


async def test_a_request_does_not_inherit_the_deadline_of_an_earlier_one_of_its_id() -> None:
    now = 0.0
    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1, clock=lambda: now) as queue:
        assert await queue.submit_and_wait(add, 1, request_id="again", deadline=1000.0) == 1
        await queue.submit(gate.wait)
        await queue.submit(add, 2, request_id="again")
        now = 1000.0
        gate.set()
        assert await queue.get_result("again", timeout=5) == 2
