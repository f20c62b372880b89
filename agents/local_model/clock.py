"""Time as the scheduler sees it; tests bring their own."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Drop it."""


class Clock(Protocol):
    """Tells the time, and calls back."""

    def now(self) -> float:
        """Return seconds since 1970."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` in `seconds`."""


class LoopClock:
    """The time of the system, and the running event loop's timers."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` in `seconds`."""
        return asyncio.get_running_loop().call_later(seconds, callback)
