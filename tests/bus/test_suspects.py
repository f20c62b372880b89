from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission import Known, before_work
from bus.envelope import Envelope
from bus.outcome import Postponed
from bus.suspects import Suspects, is_suspect
from tests.support.entries import NOON, entry_of

RUNGS = (1_000, 2_000, 5_000)


@pytest.mark.parametrize(
    ("redeliveries", "limit", "suspect"),
    [(0, 5, False), (1, 5, False), (2, 5, True), (5, 5, True), (1, 1, True), (0, 0, False), (1, 0, True)],
)
def test_a_task_that_came_back_twice_is_a_suspect(redeliveries: int, limit: int, suspect: bool) -> None:
    assert is_suspect(redeliveries, limit) is suspect


@given(st.integers(0, 5))
def test_only_suspects_wait_for_the_suspect_at_work_and_none_is_counted(redeliveries: int) -> None:
    envelope = Envelope(redeliveries=redeliveries)
    outcome = before_work(entry_of(envelope), Known(NOON, "host-1", suspect_at_work=True), RUNGS, 5)
    if is_suspect(redeliveries, 5):
        assert isinstance(outcome, Postponed)
        assert (outcome.envelope, outcome.rung_ms) == (envelope, 5_000)
    else:
        assert outcome is None


def test_a_suspect_is_at_work_until_its_work_ends_in_any_way() -> None:
    suspects = Suspects()
    with suppress(KeyError), suspects.working_on():
        assert suspects.at_work
        raise KeyError
    assert not suspects.at_work
