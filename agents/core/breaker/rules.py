"""The numbers a circuit breaker decides by. Each class raises ValueError for one that makes no sense."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import random

from agents.core.arguments import at_least, whole_at_least

Verdicts = tuple[bool, ...]
"""The calls in a window, the oldest first; True for one that failed."""


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Open, too, when `threshold` (a share, above 0 and up to 1) of the last `window` calls failed.

    Nothing is decided before `minimum_calls` verdicts since the circuit closed, and only a failure opens. The window
    counts calls, as resilience4j's does by default, and not seconds: a call of a model takes from a moment to minutes,
    so a fixed time would hold hundreds of calls here and none at all there.
    """

    threshold: float = 0.5
    window: int = 20
    minimum_calls: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold!r}: use a share of the calls above 0 and up to 1")
        whole_at_least("minimum_calls", self.minimum_calls, 1)
        whole_at_least("window", self.window, 1)
        if self.window < self.minimum_calls:
            raise ValueError(f"window is {self.window}: use at least minimum_calls ({self.minimum_calls})")

    def is_reached(self, recent: Verdicts) -> bool:
        """Say whether too many of `recent` failed."""
        return len(recent) >= self.minimum_calls and sum(recent) >= self.threshold * len(recent)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait longer after each failed probe: `factor` times as long, up to `cap` seconds, and afresh once it closed.

    Each wait is stretched by up to `jitter` (a share of it), so that hosts whose circuits opened together do not probe
    together. `recovery_timeout` stays the least, and a cap below it means no growth. `draw` gives 0..1.
    """

    factor: float = 2.0
    cap: float = 300.0
    jitter: float = 0.1
    draw: Callable[[], float] = field(default=random, repr=False)

    def __post_init__(self) -> None:
        at_least("factor", self.factor, 1)
        at_least("cap", self.cap, 0)
        if not (math.isfinite(self.jitter) and 0 <= self.jitter <= 1):
            raise ValueError(f"jitter is {self.jitter!r}: use a share of the wait from 0 to 1")

    def after(self, wait: float) -> float:
        """Return the seconds that follow a wait of `wait` seconds, before jitter."""
        return max(wait, min(self.cap, wait * self.factor))

    def spread(self, wait: float) -> float:
        """Return `wait`, stretched by chance."""
        return wait * (1 + self.jitter * self.draw())


STEADY = Backoff(factor=1, jitter=0)
"""The same wait each time."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When to open, how long to stay open, and how many probes to let through then."""

    failure_threshold: int
    recovery_timeout: float
    half_open_max_calls: int = 1
    failure_rate: FailureRate | None = None
    backoff: Backoff = STEADY

    def __post_init__(self) -> None:
        whole_at_least("failure_threshold", self.failure_threshold, 1)
        at_least("recovery_timeout", self.recovery_timeout, 0)
        whole_at_least("half_open_max_calls", self.half_open_max_calls, 1)

    def remembered(self, recent: Verdicts, *, failed: bool) -> Verdicts:
        """Return the window after one more call."""
        return () if self.failure_rate is None else (*recent, failed)[-self.failure_rate.window :]

    def opens(self, failures: int, recent: Verdicts) -> bool:
        """Say whether the failure that made these `failures` in a row and this window opens the circuit."""
        rate = self.failure_rate
        return failures >= self.failure_threshold or (rate is not None and rate.is_reached(recent))
