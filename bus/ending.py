"""Ending tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

AGAIN_SECONDS: Final = 3.0
"""Longer than any clean-up: `close_quietly` gives a channel 2 s, and cutting that short costs the connection."""


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they are done, and leave their errors to whoever looks at them.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which aiormq's calls to the broker use, drops a cancellation
    that arrives in the moment in which the awaited call completes.
    """
    left = set(tasks)
    again = False
    while left:
        for task in left:
            if again or not task.cancelling():  # one that is ending already gets its time to clean up
                task.cancel()
        again = True
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
