"""One attempt at a request: how it ends, whether it is tried again, and when."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from agents.core.requests.record import Outcome, Request, RequestCancelledError, RequestStatus, RequestTimeoutError
from agents.core.time_limit import time_limit


def exponential_backoff(retry: int) -> float:
    """Return seconds before retry 1, 2, ...: 0.5 s doubling up to 10 s, and up to half of it less at random."""
    return min(10.0, 0.5 * 2.0 ** (retry - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter keeps no secret


def retry_unless_timeout(error: Exception) -> bool:
    """Retry every error except RequestTimeoutError: that attempt has already used all the time it was given."""
    return not isinstance(error, RequestTimeoutError)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """When to retry."""

    backoff: Callable[[int], float] = exponential_backoff
    retry_on: Callable[[Exception], bool] = retry_unless_timeout

    def delay(self, error: Exception, attempts: int, max_retries: int) -> float | None:
        """Return seconds until the next attempt after `attempts` of them, or None if there is to be none."""
        if attempts > max_retries or not self.retry_on(error):
            return None
        return self.backoff(attempts)


async def attempt(request: Request, rules: RetryRules) -> Outcome:
    """Run the request once, within its timeout."""
    late = RequestTimeoutError(f"request {request.id!r} ran longer than its timeout of {request.timeout} s")
    try:
        async with time_limit(request.timeout, late):
            return Outcome(RequestStatus.COMPLETED, await request.work.run())
    except Exception as error:  # noqa: BLE001 - the boundary: whatever the function raises is its outcome
        status = RequestStatus.TIMEOUT if error is late else RequestStatus.FAILED
        return Outcome.failed(error, status, rules.delay(error, request.attempts, request.max_retries))


def outcome_of(task: asyncio.Task[Outcome], request_id: str) -> Outcome:
    """Read the outcome of an ended attempt, also of one that was cancelled from outside or killed by its function."""
    if task.cancelled():
        return cancelled(f"request {request_id!r} was cancelled by its function or its event loop")
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, Exception):
        return Outcome.failed(error)
    return cancelled(f"request {request_id!r} was ended by {type(error).__name__}")


def cancelled(why: str) -> Outcome:
    """Return the outcome of a cancelled request."""
    return Outcome.failed(RequestCancelledError(why), RequestStatus.CANCELLED)


def expired(request_id: str) -> Outcome:
    """Return the outcome of a request that waited past its deadline."""
    error = RequestTimeoutError(
        f"request {request_id!r} waited for a slot past its deadline: set a later one, or ask for less at once"
    )
    return Outcome.failed(error, RequestStatus.TIMEOUT)
