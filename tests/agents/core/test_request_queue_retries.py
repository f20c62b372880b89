"""Retries, back-off and timeouts."""

import asyncio

import pytest

from agents.core.request_queue import (
    RequestQueue,
    RequestStatus,
    RequestTimeoutError,
    exponential_backoff,
    retry_unless_timeout,
)
from tests.support.requests import Flaky, add, hang


async def test_a_failing_request_is_tried_again_up_to_its_limit() -> None:
    retries: list[int] = []

    def backoff(retry: int) -> float:
        retries.append(retry)
        return 0

    async with RequestQueue(max_retries=2, backoff=backoff) as queue:
        assert await queue.submit_and_wait(Flaky(2)) == "answer"
        hopeless = Flaky(9)
        with pytest.raises(ConnectionError, match="attempt 3"):
            await queue.submit_and_wait(hopeless)
        stats = queue.get_stats()
    assert hopeless.attempts == 3
    assert retries == [1, 2, 1, 2]
    assert (stats["completed_requests"], stats["failed_requests"], stats["success_rate"]) == (1, 1, 0.5)


async def test_retry_on_chooses_what_is_tried_again() -> None:
    flaky = Flaky(9)
    async with RequestQueue(retry_on=lambda error: isinstance(error, KeyError), backoff=lambda _: 0) as queue:
        with pytest.raises(ConnectionError, match="attempt 1"):
            await queue.submit_and_wait(flaky)
    assert flaky.attempts == 1


async def test_an_error_in_retry_on_is_the_end_of_the_request_and_not_of_the_queue() -> None:
    def broken(_error: Exception) -> bool:
        raise LookupError("a bug")

    async with RequestQueue(max_concurrent=1, retry_on=broken) as queue:
        with pytest.raises(LookupError, match="a bug"):
            await queue.submit_and_wait(Flaky(1))
        assert await queue.submit_and_wait(add, 1) == 1


async def test_a_retry_takes_its_old_place_in_the_line() -> None:
    order: list[str] = []
    flaky = Flaky(1)

    async def first() -> None:
        order.append("first")
        await flaky()

    async def other(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0.01)

    async with RequestQueue(max_concurrent=1, backoff=lambda _: 0) as queue:
        await queue.submit(first)
        for name in ("second", "third", "fourth"):
            await queue.submit(other, name)
        assert await queue.wait_for_completion(timeout=5)
    assert order == ["first", "second", "first", "third", "fourth"]


async def test_the_timeout_bounds_the_run_and_not_the_waiting() -> None:
    gate = asyncio.Event()
    async with RequestQueue(max_concurrent=1) as queue:
        await queue.submit(gate.wait)
        patient = await queue.submit(add, 1, timeout=0.02)
        hanging = await queue.submit(hang, timeout=0.02)
        await asyncio.sleep(0.05)
        gate.set()
        assert await queue.get_result(patient) == 1
        with pytest.raises(RequestTimeoutError, match=r"ran longer than its timeout of 0\.02 s"):
            await queue.get_result(hanging)
        assert queue.get_request_status(hanging) is RequestStatus.TIMEOUT
        stats = queue.get_stats()
    assert (stats["timeout_requests"], stats["failed_requests"]) == (1, 0)


async def test_a_timeout_error_of_the_function_itself_is_a_failure() -> None:
    async def slow_inside() -> None:
        raise TimeoutError("inside")

    async with RequestQueue(max_retries=0) as queue:
        request = await queue.submit(slow_inside)
        with pytest.raises(TimeoutError, match="inside"):
            await queue.get_result(request)
        assert queue.get_request_status(request) is RequestStatus.FAILED


async def test_giving_up_on_a_result_does_not_cancel_the_request() -> None:
    gate = asyncio.Event()
    async with RequestQueue() as queue:
        request = await queue.submit(gate.wait)
        with pytest.raises(RequestTimeoutError, match=r"had no result within 0\.01 s: it goes on"):
            await queue.get_result(request, timeout=0.01)
        assert queue.get_request_status(request) is RequestStatus.PROCESSING
        gate.set()
        assert await queue.get_result(request, timeout=5) is True


def test_the_default_back_off_grows_with_jitter_up_to_ten_seconds() -> None:
    for retry, longest in ((1, 0.5), (2, 1.0), (5, 8.0), (6, 10.0), (60, 10.0)):
        assert longest / 2 <= exponential_backoff(retry) <= longest


def test_every_error_but_a_timed_out_attempt_is_retried_by_default() -> None:
    assert retry_unless_timeout(ConnectionError())
    assert not retry_unless_timeout(RequestTimeoutError())
