"""The breaker beside a model that is simple enough to be read as its rule book."""

from collections.abc import Coroutine

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from agents.core.breaker.states import LOST_PROBE_AFTER
from agents.core.circuit_breaker import CircuitBreaker, CircuitBreakerOpenException, CircuitState, Permit

TIMEOUT = 10.0
MAX_CALLS = 2
Ticket = tuple[Permit, int]


class BreakerMachine(RuleBasedStateMachine):
    """Permits are handed out and reported in any order, late or never. A ticket: a permit and its era in the model."""

    tickets: Bundle[Ticket] = Bundle("tickets")

    @initialize(threshold=st.integers(1, 3))
    def make(self, threshold: int) -> None:
        self.now = 0.0
        self.threshold = threshold
        self.seen: list[CircuitState] = []
        self.breaker = CircuitBreaker(
            threshold, TIMEOUT, half_open_max_calls=MAX_CALLS, clock=lambda: self.now, wall_clock=lambda: self.now
        )
        self.breaker.add_state_change_callback(lambda _old, new: self.seen.append(new))
        self.state = "closed"
        self.era = 0
        self.failures = 0
        self.retry_at = 0.0
        self.probes: list[float] = []
        self.counts = {"asked": 0, "rejected": 0, "good": 0, "bad": 0, "trips": 0}

    def enter(self, state: str) -> None:
        self.era += 1
        self.probes = []
        self.counts["trips"] += state == "open" and self.state != "open"
        self.retry_at = self.now + TIMEOUT if state == "open" else 0.0
        self.failures = 0 if state == "closed" else self.failures
        self.state = state

    def pass_time(self) -> None:
        if self.state == "open" and self.now >= self.retry_at:
            self.enter("half_open")

    def may_pass(self) -> bool:
        if self.state == "half_open":
            lost = bool(self.probes) and self.now >= max(self.probes) + LOST_PROBE_AFTER
            return len(self.probes) < MAX_CALLS or lost
        return self.state == "closed"

    @rule(seconds=st.sampled_from([0.5, TIMEOUT - 0.5, TIMEOUT, LOST_PROBE_AFTER]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=tickets)
    def ask(self) -> Ticket | MultipleResults[Ticket]:
        self.pass_time()
        self.counts["asked"] += 1
        if not self.may_pass():
            with pytest.raises(CircuitBreakerOpenException):
                self.breaker.acquire()
            self.counts["rejected"] += 1
            return multiple()
        permit = self.breaker.acquire()
        if self.state == "half_open":
            self.probes.append(self.now)
        return permit, self.era

    @rule(ticket=consumes(tickets))
    def succeed(self, ticket: Ticket) -> None:
        permit, era = ticket
        permit.success()
        self.counts["good"] += 1
        if era != self.era:
            return
        self.failures = 0
        if self.state == "half_open":
            self.enter("closed")

    @rule(ticket=consumes(tickets))
    def fail(self, ticket: Ticket) -> None:
        permit, era = ticket
        permit.failure()
        self.counts["bad"] += 1
        if era != self.era:
            return
        self.failures += 1
        if self.state == "half_open" or self.failures >= self.threshold:
            self.enter("open")

    @rule(ticket=consumes(tickets))
    def give_back(self, ticket: Ticket) -> None:
        permit, era = ticket
        permit.release()
        if era == self.era and self.state == "half_open":
            self.probes.remove(min(self.probes))

    @rule()
    def force_open(self) -> None:
        self.pass_time()
        drive(self.breaker.force_open())
        self.enter("open")

    @rule()
    def reset(self) -> None:
        self.pass_time()
        drive(self.breaker.reset())
        self.enter("closed")

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "breaker"):
            return
        self.pass_time()
        assert self.breaker.state == self.state
        assert self.breaker.is_healthy == (self.state != "open")
        assert self.breaker.time_until_retry == (self.retry_at - self.now if self.state == "open" else 0)
        assert all(a is not b for a, b in zip(self.seen, self.seen[1:], strict=False))

    @invariant()
    def counts_the_truth(self) -> None:
        if not hasattr(self, "breaker"):
            return
        self.pass_time()
        stats = self.breaker.get_stats()
        assert stats["total_requests"] == self.counts["asked"]
        assert stats["rejected_requests"] == self.counts["rejected"]
        assert stats["successful_requests"] == self.counts["good"]
        assert stats["failed_requests"] == self.counts["bad"]
        assert stats["trip_count"] == self.counts["trips"]
        assert stats["consecutive_failures"] == self.failures
        assert 0 <= stats["success_rate"] <= 1
        assert 0 <= self.breaker.failure_rate <= 1


def drive(coroutine: Coroutine[None, None, None]) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


TestBreakerMachine = BreakerMachine.TestCase
