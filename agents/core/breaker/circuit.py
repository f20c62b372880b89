"""Circuit: the state that all callers of a breaker share, what was counted, and who is told of a transition."""

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import structlog

from agents.core.breaker.permit import CircuitBreakerOpenException, Permit
from agents.core.breaker.rules import BreakerRules
from agents.core.breaker.states import CircuitState, Closed, Open, Signal, State, transition
from agents.core.breaker.statistics import CircuitStatistics

log = structlog.get_logger(__name__)

StateChange = Callable[[CircuitState, CircuitState], object]
Clock = Callable[[], float]

PROBE_RETRY_AFTER = 1.0
"""Seconds to wait when rejected because a probe is under way: its answer is near, and a caller must not spin."""


class Circuit:
    """Hands out permits and follows their verdicts. Safe to use from threads; no call waits for anything.

    `slow_seconds`: a success that took longer is a failure for the state. None: none is.
    """

    def __init__(
        self, name: str, rules: BreakerRules, *, slow_seconds: float | None, clock: Clock, wall_clock: Clock
    ) -> None:
        self.name = name
        self.rules = rules
        self.statistics = CircuitStatistics()
        self.listeners: list[StateChange] = []
        self._slow_seconds = slow_seconds
        self._clock = clock
        self._wall_clock = wall_clock
        self._state: State = Closed()
        self._generation = 0  # a permit of an earlier generation may not move the state
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """The state now; reading it turns an open circuit half-open when its time has come."""
        return self.apply(Signal.TICK)

    @property
    def time_until_retry(self) -> float:
        """Seconds until a probe is allowed; 0 unless open."""
        state = self.state
        return max(0.0, state.retry_at - self._clock()) if isinstance(state, Open) else 0.0

    def acquire(self) -> Permit:
        """Give a permit, or raise CircuitBreakerOpenException."""
        self.apply(Signal.TICK)
        with self._lock:
            self.statistics.total += 1
            state, now = self._state, self._clock()
            generation, is_admitted = self._generation, state.admits(self.rules, now)
            if is_admitted:
                self._state = transition(state, Signal.ADMIT, self.rules, now)
            else:
                self.statistics.rejected += 1
        if is_admitted:
            log.debug("breaker.admitted", breaker=self.name, state=state.kind.value)
            return Permit(self._reporter(generation, now))
        wait = state.retry_at - now if isinstance(state, Open) else min(PROBE_RETRY_AFTER, self.rules.recovery_timeout)
        log.debug("breaker.refused", breaker=self.name, state=state.kind.value, seconds=round(max(0.0, wait), 1))
        raise CircuitBreakerOpenException(self.name, state.failures, max(0.0, wait))

    def apply(self, signal: Signal, generation: int | None = None) -> State:
        """Move the state, unless the signal comes from an earlier generation, and tell who listens."""
        with self._lock:
            old = self._state
            if generation is not None and generation != self._generation:
                return old
            new = self._state = transition(old, signal, self.rules, self._clock())
            if new.kind is old.kind and signal not in {Signal.RESET, Signal.FORCE_OPEN}:
                return new
            self._generation += 1
            if new.kind is not old.kind:
                self.statistics.state_changed_at = self._wall_clock()
                self.statistics.trips += new.kind is CircuitState.OPEN
        if new.kind is not old.kind:
            self._announce(old.kind, new)
        return new

    def report(self) -> dict[str, Any]:
        """Return what `CircuitBreaker.get_stats()` does."""
        state = self.state
        recent = state.recent if isinstance(state, Closed) else ()
        return {
            "name": self.name,
            "state": state.kind.value,
            "failure_threshold": self.rules.failure_threshold,
            "recovery_timeout": self.rules.recovery_timeout,
            "consecutive_failures": state.failures,
            **self.statistics.report(),
            "window_requests": len(recent),
            "window_failure_rate": sum(recent) / len(recent) if recent else 0.0,
            "time_until_retry": self.time_until_retry,
        }

    def _reporter(self, generation: int, started: float) -> Callable[[Signal], None]:
        def report(verdict: Signal) -> None:
            seconds = self._clock() - started
            with self._lock:
                is_slow = verdict is Signal.SUCCESS and self._slow_seconds is not None and seconds > self._slow_seconds
                self._count(verdict, seconds, is_slow=is_slow)
            self.apply(Signal.FAILURE if is_slow else verdict, generation)

        return report

    def _count(self, verdict: Signal, seconds: float, *, is_slow: bool) -> None:
        if verdict is Signal.SUCCESS:
            self.statistics.slow += is_slow
            self.statistics.succeeded(seconds, self._wall_clock())
        elif verdict is Signal.FAILURE:
            self.statistics.failed_after(seconds, self._wall_clock())

    def _announce(self, old: CircuitState, new: State) -> None:
        # Not in the name of the task whose call moved it: the state is everybody's.
        Context().run(self._log, old, new)
        for listener in self.listeners:
            try:
                listener(old, new.kind)
            except Exception:
                log.exception("breaker.callback_failed", breaker=self.name)

    def _log(self, old: CircuitState, new: State) -> None:
        if isinstance(new, Open):
            log.warning(
                "breaker.opened", breaker=self.name, old=old.value, failures=new.failures, seconds=round(new.wait, 1)
            )
        elif isinstance(new, Closed):
            log.info("breaker.closed", breaker=self.name, old=old.value, failures=new.failures)
        else:
            log.info("breaker.half_open", breaker=self.name, old=old.value, failures=new.failures)
