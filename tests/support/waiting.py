"""Waiting for states that only polling can show, such as the broker's statistics."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25


async def wait_until(
    predicate: Callable[[], object | Awaitable[object]], timeout: float = 10.0, *, what: str = "the condition"
) -> None:
    """Return once `predicate` is true; raises AssertionError with `what` and its last value after `timeout` s."""
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while not (seen := await _ask(predicate)):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout:g} s in vain for {what}; last seen: {seen!r}.")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _ask(predicate: Callable[[], object | Awaitable[object]]) -> object:
    answer = predicate()
    return await answer if inspect.isawaitable(answer) else answer
