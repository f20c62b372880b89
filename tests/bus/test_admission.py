from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission import LONGEST_WAIT, Known, before_work
from bus.envelope import Envelope
from bus.errors import DecodeError
from bus.outcome import Buried, Finished, Outcome, Postponed
from schemas import TaskError, TaskStatus
from tests.support.entries import FRESH, NOON, entry_of

RUNGS = (1_000, 2_000, 5_000)
LIMIT = 5

moments = st.none() | st.datetimes(
    NOON.replace(tzinfo=None) - timedelta(days=30), NOON.replace(tzinfo=None) + timedelta(days=30)
).map(lambda moment: moment.replace(tzinfo=NOON.tzinfo))
envelopes = st.builds(
    Envelope,
    attempt=st.integers(1, 9),
    redeliveries=st.integers(0, 9),
    copies=st.integers(0, 9),
    repeated=st.booleans(),
    not_before=moments,
)
knowns = st.builds(
    Known,
    now=st.just(NOON),
    host=st.just("host-1"),
    cancelled=st.booleans(),
    cancel_reason=st.none() | st.just("enough"),
    came_back=st.booleans(),
)
faults = st.none() | st.just(DecodeError("the body is not JSON", b"x"))
ladders = st.lists(st.integers(1, 10**6), min_size=1, max_size=8, unique=True).map(sorted).map(tuple)


def decided(envelope: Envelope, *, came_back: bool = False, max_redeliveries: int = LIMIT) -> Outcome | None:
    known = Known(NOON, "host-1", came_back=came_back)
    return before_work(entry_of(envelope), known, RUNGS, max_redeliveries)


def test_a_fresh_task_is_worked_on() -> None:
    assert decided(FRESH) is None


@given(envelopes, knowns, ladders, st.integers(0, 9))
def test_a_delivery_is_worked_on_or_counted_and_never_both(
    envelope: Envelope, known: Known, rungs: tuple[int, ...], limit: int
) -> None:
    outcome = before_work(entry_of(envelope), known, rungs, limit)
    if outcome is None:
        assert (known.came_back, known.cancelled) == (False, False)
        assert envelope.redeliveries <= limit
    if isinstance(outcome, Postponed):
        counted = outcome.envelope.redeliveries - envelope.redeliveries
        assert counted == known.came_back
        assert len(outcome.envelope.history) == counted
        assert outcome.envelope.redeliveries <= limit
        assert outcome.rung_ms in rungs
        assert (outcome.envelope.attempt, outcome.envelope.not_before) == (envelope.attempt, envelope.not_before)


@given(envelopes, knowns, faults)
def test_what_ends_a_task_before_its_work_comes_in_a_fixed_order(
    envelope: Envelope, known: Known, fault: DecodeError | None
) -> None:
    outcome = before_work(entry_of(envelope, fault=fault), known, RUNGS, LIMIT)
    is_poison = envelope.redeliveries + known.came_back > LIMIT
    if fault is not None:
        assert isinstance(outcome, Buried)
        assert outcome.reason == "unreadable"
    elif known.cancelled:
        assert isinstance(outcome, Finished)
        assert outcome.result.status is TaskStatus.CANCELLED
    else:
        assert (isinstance(outcome, Buried) and outcome.reason == "poison") is is_poison


@pytest.mark.parametrize("max_redeliveries", [0, 1, 5])
def test_a_task_that_ends_its_process_is_started_once_more_than_redeliveries_are_allowed(max_redeliveries: int) -> None:
    envelope, starts = FRESH, 1
    while isinstance(outcome := decided(envelope, came_back=True, max_redeliveries=max_redeliveries), Postponed):
        envelope = outcome.envelope
        assert decided(envelope, max_redeliveries=max_redeliveries) is None
        starts += 1
    assert starts == max_redeliveries + 1
    assert isinstance(outcome, Buried)
    assert (outcome.reason, outcome.result.status) == ("poison", TaskStatus.FAILED)
    assert f"delivered {max_redeliveries + 2} times and never settled" in outcome.failure.message


@pytest.mark.parametrize("max_redeliveries", [0, 1, 5])
def test_where_the_broker_counts_the_limit_is_the_same(max_redeliveries: int) -> None:
    counted = (decided(Envelope(redeliveries=n), max_redeliveries=max_redeliveries) for n in range(9))
    assert [outcome is None for outcome in counted] == [n <= max_redeliveries for n in range(9)]


def test_each_loss_is_told_and_waits_a_rung_longer() -> None:
    envelope, waits = FRESH, []
    for _ in range(LIMIT):
        outcome = decided(envelope, came_back=True)
        assert isinstance(outcome, Postponed)
        waits.append(outcome.rung_ms)
        envelope = outcome.envelope
    assert waits == [1_000, 2_000, 5_000, 5_000, 5_000]
    assert envelope.attempt == 1
    assert [(past.number, past.host, past.error.code) for past in envelope.history] == [(1, "host-1", "lost")] * LIMIT


def test_an_unreadable_body_is_answered_whatever_else_is_known() -> None:
    entry = entry_of(Envelope(redeliveries=9), fault=DecodeError("the body is not JSON", b"x"))
    outcome = before_work(entry, Known(NOON, "h", cancelled=True, came_back=True), RUNGS, LIMIT)
    assert isinstance(outcome, Buried)
    assert (outcome.reason, outcome.result.status) == ("unreadable", TaskStatus.REJECTED)
    assert outcome.result.error == TaskError(code="unreadable", message="the body is not JSON")


def test_a_cancelled_task_says_why_and_is_no_poison() -> None:
    known = Known(NOON, "h", cancelled=True, cancel_reason="enough", came_back=True)
    outcome = before_work(entry_of(Envelope(redeliveries=9)), known, RUNGS, LIMIT)
    assert isinstance(outcome, Finished)
    assert outcome.result.error == TaskError(code="cancelled", message="cancelled before the work: enough")


@pytest.mark.parametrize(
    ("left", "rung_ms"), [(0.0, None), (-5.0, None), (0.001, 1_000), (1.0, 1_000), (1.5, 2_000), (60.0, 5_000)]
)
def test_what_is_early_waits_on(left: float, rung_ms: int | None) -> None:
    envelope = Envelope(2, not_before=NOON + timedelta(seconds=left))
    expected = None if rung_ms is None else Postponed(rung_ms, envelope, "not yet time")
    assert decided(envelope) == expected


def test_nobody_can_put_a_task_off_for_ever() -> None:
    assert isinstance(decided(Envelope(not_before=NOON + LONGEST_WAIT)), Postponed)
    assert decided(Envelope(not_before=NOON + LONGEST_WAIT + timedelta(seconds=1))) is None
