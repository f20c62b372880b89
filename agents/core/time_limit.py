"""A time limit whose error cannot be mistaken for a TimeoutError raised inside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def time_limit(seconds: float | None, expired: Exception) -> AsyncIterator[None]:
    """Cancel the body after `seconds` (None: never) and raise `expired`.

    A TimeoutError that the body itself raises passes unchanged.
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
        raise expired from error
