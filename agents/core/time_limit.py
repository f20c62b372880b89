"""A time limit whose error cannot be mistaken for a TimeoutError raised inside it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

Expired = Exception | Callable[[], Exception]


def time_limit(seconds: float | None, expired: Expired) -> AbstractAsyncContextManager[None]:
    """Cancel the body after `seconds` (None: never) and raise `expired`, or what it makes where it is a function.

    A TimeoutError that the body itself raises passes unchanged, even one raised in answer to the limit.
    """
    return _TimeLimit(asyncio.timeout(seconds), expired)


class _TimeLimit:
    """No generator: each request at a model passes several limits."""

    def __init__(self, timeout: asyncio.Timeout, expired: Expired) -> None:
        self._timeout = timeout
        self._expired = expired

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as late:
            raise (self._expired() if callable(self._expired) else self._expired) from late
