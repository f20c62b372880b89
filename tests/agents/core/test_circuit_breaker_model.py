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
from agents.core.circuit_breaker import (
    Backoff,
    CircuitBreaker,
    CircuitBreakerOpenException,
    CircuitState,
    FailureRate,
    Permit,
)

TIMEOUT = 10.0
CAP = 35.0
MAX_CALLS = 2
WINDOW = 4
LEAST = 3
SHARE = 0.6
SLOW = 5.0
Ticket = tuple[Permit, int, float]


class BreakerMachine(RuleBasedStateMachine):
    """Permits are handed out and reported in any order, late or never.

    A ticket: a permit, its era in the model, and when it was given.
    """

    tickets: Bundle[Ticket] = Bundle("tickets")

    @initialize(threshold=st.integers(1, 4), luck=st.sampled_from([0.0, 0.5]))
    def make(self, threshold: int, luck: float) -> None:
        self.now = 0.0
        self.luck = luck
        self.threshold = threshold
        self.seen: list[CircuitState] = []
        self.breaker = CircuitBreaker(
            threshold,
            TIMEOUT,
            half_open_max_calls=MAX_CALLS,
            failure_rate=FailureRate(SHARE, WINDOW, LEAST),
            slow_call_seconds=SLOW,
            backoff=Backoff(factor=2, cap=CAP, jitter=1, draw=lambda: self.luck),
            clock=lambda: self.now,
            wall_clock=lambda: self.now,
        )
        self.breaker.add_state_change_callback(lambda _old, new: self.seen.append(new))
        self.state = "closed"
        self.era = 0
        self.failures = 0
        self.recent: list[bool] = []
        self.retry_at = 0.0
        self.failed_probes = 0
        self.probes: list[float] = []
        self.counts = {"asked": 0, "rejected": 0, "good": 0, "bad": 0, "slow": 0, "trips": 0}

    def enter(self, state: str, failed_probes: int = 0) -> None:
        self.era += 1
        self.probes = []
        self.recent = []
        self.counts["trips"] += state == "open" and self.state != "open"
        self.failed_probes = failed_probes
        wait = min(TIMEOUT * 2**failed_probes, CAP) * (1 + self.luck)
        self.retry_at = self.now + wait if state == "open" else 0.0
        self.failures = 0 if state == "closed" else self.failures
        self.state = state

    def pass_time(self) -> None:
        if self.state == "open" and self.now >= self.retry_at:
            self.enter("half_open", self.failed_probes)

    def judge(self, era: int, *, failed: bool) -> None:
        if era != self.era:
            return
        self.failures = self.failures + 1 if failed else 0
        self.recent = [*self.recent, failed][-WINDOW:]
        if self.state == "half_open":
            self.enter("open", self.failed_probes + 1) if failed else self.enter("closed")
        elif failed and (self.failures >= self.threshold or self.too_many_failed()):
            self.enter("open")

    def too_many_failed(self) -> bool:
        return len(self.recent) >= LEAST and self.recent.count(True) / len(self.recent) >= SHARE

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
        return permit, self.era, self.now

    @rule(ticket=consumes(tickets))
    def succeed(self, ticket: Ticket) -> None:
        permit, era, since = ticket
        permit.success()
        is_slow = self.now - since > SLOW
        self.counts["good"] += 1
        self.counts["slow"] += is_slow
        self.judge(era, failed=is_slow)

    @rule(ticket=consumes(tickets))
    def fail(self, ticket: Ticket) -> None:
        permit, era, _ = ticket
        permit.failure()
        self.counts["bad"] += 1
        self.judge(era, failed=True)

    @rule(ticket=consumes(tickets))
    def give_back(self, ticket: Ticket) -> None:
        permit, era, _ = ticket
        permit.release()
        if era == self.era and self.state == "half_open":
            self.probes.remove(min(self.probes))

    @rule()
    def force_open(self) -> None:
        self.pass_time()
        drive(self.breaker.force_open())
        self.enter("open")

    @rule()
    def allow_probe(self) -> None:
        self.pass_time()
        drive(self.breaker.allow_probe())
        if self.state == "open":
            self.enter("half_open", self.failed_probes)

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
        assert stats["slow_requests"] == self.counts["slow"]
        assert stats["window_requests"] == (len(self.recent) if self.state == "closed" else 0)
        assert stats["trip_count"] == self.counts["trips"]
        assert stats["consecutive_failures"] == self.failures
        assert 0 <= stats["success_rate"] <= 1
        assert 0 <= self.breaker.failure_rate <= 1


def drive(coroutine: Coroutine[None, None, None]) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


TestBreakerMachine = BreakerMachine.TestCase
