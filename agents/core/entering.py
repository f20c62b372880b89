"""Entering many contexts, several at a time: 131 consumers, each with queues to declare, would take seconds in turn."""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final

from bus.ending import end_tasks

AT_ONCE: Final = 16
"""More do not start sooner: the broker writes one durable queue after the other."""


async def enter_all(stack: AsyncExitStack, contexts: Iterable[AbstractAsyncContextManager[Any]]) -> None:
    """Enter the contexts, `AT_ONCE` at a time, on `stack`. The first error ends the rest; what was entered stays there.

    Raises:
        Exception: what the first that failed has raised.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def enter(context: AbstractAsyncContextManager[Any]) -> None:
        async with places:
            await stack.enter_async_context(context)

    tasks = [asyncio.create_task(enter(context), name="entering") for context in contexts]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end_tasks(tasks)
