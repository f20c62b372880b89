import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import HandlerError, NotNowError, PermanentError, RejectedError, RetryableError
from bus.retry import Failure, GiveUp, HandBack, Refuse, Retry, RetryPolicy, choose_rung, decide, failure_of

RUNGS = (1_000, 2_000, 5_000)
ladders = st.lists(st.integers(1, 10**6), min_size=1, max_size=8, unique=True).map(sorted)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 20),
    base=st.floats(0, 100),
    factor=st.floats(1, 100),
    cap=st.floats(0, 10_000),
    jitter=st.floats(0, 1),
)


@given(policies, ladders, st.none() | st.integers(1, 20), st.floats(0, 1, exclude_max=True))
def test_a_task_that_always_fails_runs_exactly_as_often_as_allowed(
    policy: RetryPolicy, rungs: list[int], own: int | None, drawn: float
) -> None:
    attempts = 1
    while isinstance(decide(RetryableError("x"), attempts, policy, rungs, max_attempts=own, draw=lambda: drawn), Retry):
        attempts += 1
    assert attempts == (own or policy.max_attempts)


@given(policies, ladders, st.integers(1, 19), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 10**4))
def test_a_rung_is_as_long_as_wanted_or_the_last(
    policy: RetryPolicy, rungs: list[int], attempt: int, drawn: float, retry_after: float | None
) -> None:
    error = RetryableError("x", retry_after=retry_after)
    verdict = decide(error, attempt, policy, rungs, max_attempts=20, draw=lambda: drawn)
    assert isinstance(verdict, Retry)
    wanted = max(policy.delay(attempt), retry_after or 0) * 1000
    assert verdict.rung_ms in rungs
    assert verdict.rung_ms >= wanted or verdict.rung_ms == rungs[-1]
    fitting = [rung for rung in rungs if rung >= wanted] or [rungs[-1]]
    assert verdict.rung_ms in fitting[: 1 + (drawn < policy.jitter)]


@pytest.mark.parametrize(
    ("seconds", "longer", "rung"),
    [(0, False, 1000), (1, False, 1000), (1.001, False, 2000), (1, True, 2000), (99, False, 5000), (5, True, 5000)],
)
def test_the_first_rung_that_fits_or_its_neighbour(seconds: float, longer: bool, rung: int) -> None:
    assert choose_rung(seconds, RUNGS, longer=longer) == rung


@given(policies, st.integers(1, 10**6))
def test_delays_never_shrink_and_never_pass_the_cap(policy: RetryPolicy, attempt: int) -> None:
    assert policy.delay(attempt) <= policy.delay(attempt + 1) <= policy.cap


def test_delays_grow_by_the_factor() -> None:
    assert [RetryPolicy().delay(attempt) for attempt in (1, 2, 3, 4, 5, 6)] == [1, 4, 16, 64, 256, 900]


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (NotNowError("x"), HandBack()),
        (RejectedError("x"), Refuse()),
        (PermanentError("x"), GiveUp()),
        (HandlerError("x"), GiveUp()),
        (KeyError("x"), GiveUp()),
        (TimeoutError(), Retry(1000)),
        (ConnectionResetError(), Retry(1000)),
        (RetryableError("x"), Retry(1000)),
    ],
)
def test_each_error_has_its_verdict(error: Exception, verdict: object) -> None:
    assert decide(error, 1, RetryPolicy(), RUNGS, draw=lambda: 0.99) == verdict


def test_not_now_is_handed_back_even_after_the_last_attempt() -> None:
    assert decide(NotNowError("x"), 99, RetryPolicy(), RUNGS) == HandBack()


def test_what_counts_as_transient_is_the_policy_s() -> None:
    policy = RetryPolicy(transient=(KeyError,))
    assert decide(KeyError("x"), 1, policy, RUNGS, draw=lambda: 0.99) == Retry(1000)
    assert decide(TimeoutError(), 1, policy, RUNGS) == GiveUp()


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_jitter_is_the_chance_of_the_longer_rung(jitter: float) -> None:
    verdict = decide(TimeoutError(), 1, RetryPolicy(jitter=jitter), RUNGS)
    assert verdict == Retry(2000 if jitter else 1000)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (RetryableError("busy", retry_after=5), Failure("retryable", "busy", retryable=True, retry_after=5)),
        (PermanentError("never"), Failure("permanent", "never", retryable=False)),
        (TimeoutError(), Failure("timeout", "TimeoutError", retryable=True)),
        (ConnectionRefusedError("x"), Failure("connection", "x", retryable=True)),
        (ValueError("x"), Failure("handler_error", "x", retryable=False)),
        (OSError("file \udcff"), Failure("handler_error", "file \\udcff", retryable=False)),
    ],
)
def test_a_failure_is_told_with_a_code_and_a_sentence(error: Exception, failure: Failure) -> None:
    assert failure_of(error, RetryPolicy()) == failure


@pytest.mark.parametrize(
    ("field", "value"), [("max_attempts", 0), ("base", -1.0), ("factor", 0.5), ("cap", -1.0), ("jitter", -0.1)]
)
def test_a_policy_that_makes_no_sense_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"RetryPolicy\.{field} is {value}: it must be at least"):
        RetryPolicy(**{field: value})  # type: ignore[arg-type]  # one field at a time
