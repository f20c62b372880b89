from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission import Known, before_work
from bus.errors import HandlerError, NotNowError, PermanentError, RejectedError, RetryableError
from bus.outcome import Postponed, TriedAgain, outcome_of_error
from bus.retry import (
    LONGEST_WAIT_SECONDS,
    Failure,
    GiveUp,
    HandBack,
    Refuse,
    Retry,
    RetryPolicy,
    choose_rung,
    decide,
    failure_of,
    logged_text,
)
from schemas import RetryRules
from tests.support.entries import FRESH, NOON, entry_of, past_attempt
from tests.support.errors import WordlessError

RUNGS = (1_000, 2_000, 5_000)
SHORT = (50, 200)
NO_WORDS = "str() of this WordlessError failed"
seconds = st.floats(0, 10_000)
ladders = st.lists(st.integers(1, 10**6), min_size=1, max_size=8, unique=True).map(sorted).map(tuple)
long_ladders = st.lists(st.integers(10_000, 10**6), min_size=1, max_size=8, unique=True).map(sorted).map(tuple)
draws = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 20),
    base=st.floats(0, 100),
    factor=st.floats(1, 100),
    cap=seconds,
    jitter=st.floats(0, 1),
)
rules = st.none() | st.builds(
    RetryRules,
    base=st.none() | st.floats(0, 100),
    factor=st.none() | st.floats(1, 100),
    cap=st.none() | seconds,
    jitter=st.none() | st.floats(0, 1),
    on=st.none() | st.just(("retryable", "timeout")),
)
busy = st.builds(RetryableError, st.just("busy"), retry_after=st.none() | st.floats(-1, 10_000))


@given(policies, rules, long_ladders, st.none() | st.integers(1, 20), busy, st.data())
def test_a_task_that_fails_in_passing_runs_and_waits_as_the_formula_says(
    policy: RetryPolicy,
    own: RetryRules | None,
    rungs: tuple[int, ...],
    own_attempts: int | None,
    error: RetryableError,
    data: st.DataObject,
) -> None:
    entry, moment = entry_of(retry=own, max_attempts=own_attempts), NOON
    chosen = policy.with_rules(own)
    for number in count(1):
        outcome = outcome_of_error(entry, error, 1.0, policy, rungs, host="h", moment=moment)
        if not isinstance(outcome, TriedAgain):
            break
        entry = entry_of(outcome.envelope, retry=own, max_attempts=own_attempts)
        waited = outcome.rung_ms / 1000
        while (early := before_work(entry, Known(moment + timedelta(seconds=waited), "h"), rungs, 5)) is not None:
            assert isinstance(early, Postponed)
            assert early.envelope == entry.envelope  # no attempt used, nothing counted
            waited += early.rung_ms / 1000
        wanted = max(min(chosen.cap, chosen.base * chosen.factor ** (number - 1)), error.retry_after or 0)
        fitting = [rung / 1000 for rung in rungs if rung >= wanted * 1000]
        # Of a wait beyond the last rung, only its last part goes to a rung that is too long for it.
        assert waited >= wanted - 1e-5
        assert waited <= (fitting[:2] or [wanted + rungs[-1] / 1000])[-1] + 1e-5
        moment += timedelta(seconds=waited + data.draw(st.floats(0, 10)))
    assert number == (own_attempts or policy.max_attempts)
    assert [past.number for past in entry.envelope.history] == list(range(1, number))


@given(policies, ladders, st.integers(1, 19), draws, st.none() | st.floats(allow_infinity=True))
def test_a_rung_is_as_long_as_wanted_or_the_last_and_at_most_one_longer(
    policy: RetryPolicy, rungs: tuple[int, ...], attempt: int, drawn: float, retry_after: float | None
) -> None:
    error = RetryableError("x", retry_after=retry_after)
    verdict = decide(error, attempt, policy.with_rules(None, 20), rungs, draw=lambda: drawn)
    assert isinstance(verdict, Retry)
    asked = 0 if retry_after is None or retry_after != retry_after else retry_after  # noqa: PLR0124 - not a number
    assert verdict.seconds == max(policy.delay(attempt), min(asked, LONGEST_WAIT_SECONDS))
    fitting = [rung for rung in rungs if rung >= verdict.seconds * 1000] or [rungs[-1]]
    assert verdict.rung_ms == fitting[: 1 + (drawn < policy.jitter)][-1]


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
    assert RetryPolicy(factor=1.01).delay(100) == pytest.approx(1.01**99)


@pytest.mark.parametrize(("base", "delay"), [(0.0, 0.0), (1.0, 900.0)])
def test_a_delay_beyond_all_numbers_is_the_cap(base: float, delay: float) -> None:
    assert RetryPolicy(base=base, factor=1e100).delay(10) == delay
    assert RetryPolicy(base=base, factor=10).delay(10**6) == delay


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (NotNowError("x"), HandBack()),
        (RejectedError("x"), Refuse()),
        (PermanentError("x"), GiveUp()),
        (HandlerError("x"), GiveUp()),
        (KeyError("x"), GiveUp()),
        (TimeoutError(), Retry(1000, 1.0)),
        (ConnectionResetError(), Retry(1000, 1.0)),
        (RetryableError("x"), Retry(1000, 1.0)),
        (RetryableError("x", retry_after=1.5), Retry(2000, 1.5)),
        (RetryableError("x", retry_after=1e9), Retry(5000, LONGEST_WAIT_SECONDS)),
    ],
)
def test_each_error_has_its_verdict(error: Exception, verdict: object) -> None:
    assert decide(error, 1, RetryPolicy(), RUNGS, draw=lambda: 0.99) == verdict


def test_not_now_is_handed_back_even_after_the_last_attempt() -> None:
    assert decide(NotNowError("x"), 99, RetryPolicy(), RUNGS) == HandBack()


def test_what_counts_as_transient_is_the_policy_s() -> None:
    policy = RetryPolicy(transient=(KeyError,), jitter=0)
    assert decide(KeyError("x"), 1, policy, RUNGS) == Retry(1000, 1.0)
    assert decide(TimeoutError(), 1, policy, RUNGS) == GiveUp()


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [(PermanentError("x"), True), (TimeoutError(), True), (RetryableError("x"), False), (NotNowError("x"), False)],
)
def test_codes_take_the_place_of_what_is_transient(error: Exception, is_retried: bool) -> None:
    policy = RetryPolicy(codes=frozenset({"permanent", "timeout"}))
    assert isinstance(decide(error, 1, policy, RUNGS), Retry) is is_retried


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_jitter_is_the_chance_of_the_longer_rung(jitter: float) -> None:
    verdict = decide(TimeoutError(), 1, RetryPolicy(jitter=jitter), RUNGS)
    assert verdict == Retry(2000 if jitter else 1000, 1.0)


def test_rules_replace_what_they_name_and_nothing_else() -> None:
    policy = RetryPolicy(base=2, cap=100, max_redeliveries=7)
    assert policy.with_rules(None) == policy
    assert policy.with_rules(RetryRules()) == policy
    assert policy.with_rules(RetryRules(base=0, factor=1, cap=0, jitter=0, on=()), 9) == RetryPolicy(
        max_attempts=9, base=0, factor=1, cap=0, jitter=0, codes=frozenset(), max_redeliveries=7
    )


def test_the_rules_of_a_task_win_over_those_of_its_agent() -> None:
    agents = RetryPolicy().with_rules(RetryRules(base=5, factor=2), 7)
    assert agents.with_rules(RetryRules(base=1)) == RetryPolicy(max_attempts=7, base=1, factor=2)


def test_a_wait_of_several_rungs_ends_with_the_rung_that_fits_the_rest() -> None:
    envelope = FRESH.after(past_attempt(), NOON + timedelta(seconds=0.45))
    hops, moment = [], NOON + timedelta(milliseconds=SHORT[-1])
    while (early := before_work(entry_of(envelope), Known(moment, "h"), SHORT, 5)) is not None:
        assert isinstance(early, Postponed)
        hops.append(early.rung_ms)
        moment += timedelta(milliseconds=early.rung_ms)
    assert hops == [200, 50]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (RetryableError("busy", retry_after=5), Failure("retryable", "busy", retryable=True, retry_after=5)),
        (PermanentError("never"), Failure("permanent", "never", retryable=False)),
        (TimeoutError(), Failure("timeout", "TimeoutError", retryable=True)),
        (ConnectionRefusedError("x"), Failure("connection", "x", retryable=True)),
        (ValueError("x"), Failure("handler_error", "ValueError: x", retryable=False)),
        (OSError("file \udcff"), Failure("handler_error", "OSError: file \\udcff", retryable=False)),
        (WordlessError(), Failure("handler_error", f"WordlessError: {NO_WORDS}", retryable=False)),
    ],
)
def test_a_failure_is_told_with_a_code_and_a_sentence(error: Exception, failure: Failure) -> None:
    assert failure_of(error, RetryPolicy()) == failure


def test_an_error_that_cannot_tell_its_text_is_logged_as_what_it_is() -> None:
    assert logged_text(WordlessError()) == NO_WORDS


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_attempts", 0), ("base", -1.0), ("factor", 0.5), ("cap", -1.0), ("jitter", -0.1), ("max_redeliveries", -1)],
)
def test_a_policy_that_makes_no_sense_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"RetryPolicy\.{field} is {value}: it must be at least"):
        RetryPolicy(**{field: value})  # type: ignore[arg-type]  # one field at a time
