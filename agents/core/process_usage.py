"""What this process uses of the machine."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil

LEAST_SECONDS: Final = 1.0
"""What a figure of the CPU covers at least, once the process has run that long: one over a millisecond says nothing."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, and the seconds of CPU that were used until then."""

    at: float
    used: float


class ProcessUsage:
    """Memory and CPU of this process. Whoever else reads the same one, the figures stay true."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, cpu_clock: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._process = psutil.Process()
        self._since = self._last = self._now()
        self._memory = 0

    @property
    def memory_bytes(self) -> int:
        """Resident memory; the last that could be read where none can, as without a free descriptor, and 0 before."""
        with contextlib.suppress(psutil.Error, OSError):
            self._memory = int(self._process.memory_info().rss)
        return self._memory

    def cpu_percent(self) -> float:
        """Per cent of one core since an earlier reading: the last one that is at least a second old, or the first."""
        now = self._now()
        if now.at - self._last.at >= LEAST_SECONDS:
            self._since, self._last = self._last, now
        elapsed = now.at - self._since.at
        return round(100 * (now.used - self._since.used) / elapsed, 1) if elapsed else 0.0

    def _now(self) -> Mark:
        return Mark(self._clock(), self._cpu_clock())
