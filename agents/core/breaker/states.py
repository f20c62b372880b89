"""The states of a circuit breaker and the one function that leads from one to the next. Pure: time is passed in.

    CLOSED ──failures reach the threshold──> OPEN ──recovery_timeout──> HALF_OPEN ──a probe succeeds──> CLOSED
                                              ^                             │
                                              └─────── a probe fails ───────┘

Each state carries `failures`, the failures in a row since the last success that counted.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import ClassVar

from agents.core.arguments import at_least, whole_at_least

LOST_PROBE_AFTER = 300.0
"""Seconds after which a probe that never reported keeps others out no longer: the default limit of a model request."""


class CircuitState(StrEnum):
    """The names under which the states are reported."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Signal(Enum):
    """What can happen to a breaker."""

    TICK = auto()
    ADMIT = auto()
    SUCCESS = auto()
    FAILURE = auto()
    RELEASE = auto()
    FORCE_OPEN = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The numbers a breaker decides by. Raises ValueError for one that makes no sense."""

    failure_threshold: int
    recovery_timeout: float
    half_open_max_calls: int = 1

    def __post_init__(self) -> None:
        whole_at_least("failure_threshold", self.failure_threshold, 1)
        at_least("recovery_timeout", self.recovery_timeout, 0)
        whole_at_least("half_open_max_calls", self.half_open_max_calls, 1)

    def opened(self, failures: int, now: float) -> "Open":
        """Return the open state that starts now."""
        return Open(failures, now + self.recovery_timeout)


@dataclass(frozen=True, slots=True)
class Closed:
    """Calls pass."""

    failures: int = 0
    kind: ClassVar = CircuitState.CLOSED

    def admits(self, _rules: BreakerRules, _now: float) -> bool:
        """Let every call pass."""
        return True

    def after(self, signal: Signal, rules: BreakerRules, now: float) -> "State":
        """Count failures in a row, and open at the threshold."""
        match signal:
            case Signal.SUCCESS:
                return Closed()
            case Signal.FAILURE if self.failures + 1 >= rules.failure_threshold:
                return rules.opened(self.failures + 1, now)
            case Signal.FAILURE:
                return Closed(self.failures + 1)
        return self


@dataclass(frozen=True, slots=True)
class Open:
    """Calls are rejected until `retry_at`."""

    failures: int
    retry_at: float
    kind: ClassVar = CircuitState.OPEN

    def admits(self, _rules: BreakerRules, _now: float) -> bool:
        """Let no call pass."""
        return False

    def after(self, signal: Signal, _rules: BreakerRules, now: float) -> "State":
        """Become half-open when the time has come."""
        if signal is Signal.TICK and now >= self.retry_at:
            return HalfOpen(self.failures)
        return self


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """A few probes may pass; the first one that succeeds or fails decides."""

    failures: int
    probes: int = 0
    lost_at: float = 0.0
    """When the probe admitted last counts as lost, so that a permit nobody returns cannot wedge the circuit."""
    kind: ClassVar = CircuitState.HALF_OPEN

    def admits(self, rules: BreakerRules, now: float) -> bool:
        """Let a call pass as a probe while there is room, or when those in flight count as lost."""
        return self.probes < rules.half_open_max_calls or now >= self.lost_at

    def after(self, signal: Signal, rules: BreakerRules, now: float) -> "State":
        """Follow the probes."""
        match signal:
            case Signal.ADMIT:
                patience = max(rules.recovery_timeout, LOST_PROBE_AFTER)
                return replace(self, probes=self.probes + 1, lost_at=now + patience)
            case Signal.RELEASE:
                return replace(self, probes=self.probes - 1)
            case Signal.SUCCESS:
                return Closed()
            case Signal.FAILURE:
                return rules.opened(self.failures + 1, now)
        return self


State = Closed | Open | HalfOpen


def transition(state: State, signal: Signal, rules: BreakerRules, now: float) -> State:
    """Return the state that follows `state` when `signal` happens at `now` (monotonic seconds)."""
    if signal is Signal.RESET:
        return Closed()
    if signal is Signal.FORCE_OPEN:
        return rules.opened(state.failures, now)
    return state.after(signal, rules, now)
