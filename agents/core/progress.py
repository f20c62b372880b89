"""Progress: how far the work on a task has come, told at most ten times a second, whoever calls how often."""

import asyncio
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

PAUSE_SECONDS: Final = 0.1
"""Between two announcements. What is told in between takes the place of what was told before."""

Announce = Callable[..., None]
"""Called with what was told, as keywords."""


class Progress:
    """Takes what is told, from any thread, and announces the latest of it from the event loop.

    Used inside `async with`, whose end announces what is left.
    """

    def __init__(self, announce: Announce, loop: asyncio.AbstractEventLoop) -> None:
        self._announce = announce
        self._loop = loop
        self._lock = threading.Lock()
        self._latest: Mapping[str, Any] | None = None
        self._next_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def tell(self, told: Mapping[str, Any]) -> None:
        """Announce this soon, unless something newer comes before; nothing once the task is over."""
        with self._lock:
            if self._is_over:
                return
            is_arranged, self._latest = self._latest is not None, told
        if not is_arranged:
            self._loop.call_soon_threadsafe(self._arrange)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # What a thread tells after this, working on in vain, is dropped.
        with self._lock:
            self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._flush()

    def _arrange(self) -> None:
        wait = self._next_at - self._loop.time()
        if wait > 0:
            self._timer = self._loop.call_later(wait, self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            told, self._latest = self._latest, None
        if told is not None:
            self._next_at = self._loop.time() + PAUSE_SECONDS
            self._announce(**told)


def told_of(at: float | str, message: str | None, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event of progress holds: `fraction`, `message`, and `data`.

    Raises:
        ValueError: the fraction is none, or there are two texts.
    """
    if isinstance(at, str):
        if message is not None:
            raise ValueError(f"progress has two texts, {at!r} and {message!r}: tell one of them")
        return {**data, "fraction": None, "message": at}
    if not (math.isfinite(at) and 0 <= at <= 1):
        raise ValueError(f"progress is {at!r}: tell a fraction from 0 to 1, or a text")
    return {**data, "fraction": float(at), "message": message}
