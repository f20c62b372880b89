"""The states of a circuit breaker and the one function that leads from one to the next. Pure: time is passed in.

    CLOSED ──too many failures──> OPEN ──its wait is over──> HALF_OPEN ──a probe succeeds──> CLOSED
                                   ^                             │
                                   └─ a probe fails: wait longer ┘

Each state carries `failures`, the failures in a row since the last success that counted.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import ClassVar

from agents.core.breaker.rules import BreakerRules, Verdicts

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
    ALLOW_PROBE = auto()
    FORCE_OPEN = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Closed:
    """Calls pass."""

    failures: int = 0
    recent: Verdicts = ()
    """The last calls, where the rules ask for a failure rate."""
    kind: ClassVar = CircuitState.CLOSED

    def admits(self, _rules: BreakerRules, _now: float) -> bool:
        """Let every call pass."""
        return True

    def after(self, signal: Signal, rules: BreakerRules, now: float) -> "State":
        """Count failures, and open when they are too many."""
        match signal:
            case Signal.SUCCESS:
                return Closed(0, rules.remembered(self.recent, failed=False))
            case Signal.FAILURE:
                failures, recent = self.failures + 1, rules.remembered(self.recent, failed=True)
                return opened(failures, rules, now) if rules.opens(failures, recent) else Closed(failures, recent)
        return self


@dataclass(frozen=True, slots=True)
class Open:
    """Calls are rejected until `retry_at`."""

    failures: int
    retry_at: float
    wait: float
    """The seconds of this opening before jitter; those of the next one follow from it."""
    kind: ClassVar = CircuitState.OPEN

    def admits(self, _rules: BreakerRules, _now: float) -> bool:
        """Let no call pass."""
        return False

    def after(self, signal: Signal, _rules: BreakerRules, now: float) -> "State":
        """Become half-open when the time has come, or when somebody knows better."""
        if signal is Signal.ALLOW_PROBE or (signal is Signal.TICK and now >= self.retry_at):
            return HalfOpen(self.failures, self.wait)
        return self


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """A few probes may pass; the first one that succeeds or fails decides."""

    failures: int
    waited: float
    """The seconds it was open before, without jitter."""
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
                return opened(self.failures + 1, rules, now, rules.backoff.after(self.waited))
        return self


State = Closed | Open | HalfOpen


def opened(failures: int, rules: BreakerRules, now: float, wait: float | None = None) -> Open:
    """Return the open state that starts now; without `wait` it lasts the recovery time of a first opening."""
    seconds = rules.recovery_timeout if wait is None else wait
    return Open(failures, now + rules.backoff.spread(seconds), seconds)


def transition(state: State, signal: Signal, rules: BreakerRules, now: float) -> State:
    """Return the state that follows `state` when `signal` happens at `now` (monotonic seconds)."""
    if signal is Signal.RESET:
        return Closed()
    if signal is Signal.FORCE_OPEN:
        return opened(state.failures, rules, now)
    return state.after(signal, rules, now)
