"""A time limit whose error cannot be mistaken for a TimeoutError raised inside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def time_limit(seconds: float | None, expired: Exception | Callable[[], Exception]) -> AsyncIterator[None]:
    """Cancel the body after `seconds` (None: never) and raise `expired`, or what it makes where it is a function.

    A TimeoutError that the body itself raises passes unchanged, even one raised in answer to the limit.
    """
    inner: TimeoutError | None = None
    try:
        async with asyncio.timeout(seconds):
            try:
                yield
            except TimeoutError as error:
                inner = error
                raise
    except TimeoutError as error:
        if error is inner:
            raise
        raise (expired() if callable(expired) else expired) from error
