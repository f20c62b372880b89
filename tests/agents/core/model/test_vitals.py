import pytest

from agents.core.model.errors import BadModelRequest, ModelServerError
from agents.core.model.vitals import Vitals
from tests.support.clock import FakeClock


@pytest.mark.parametrize(
    ("vitals", "failed"),
    [
        (Vitals(), False),
        (Vitals(failed_at=11), True),
        (Vitals(failed_at=10), False),
        (Vitals(answered_at=5, failed_at=11), True),
        (Vitals(answered_at=12, failed_at=11), False),
    ],
    ids=["nothing known", "failed since", "failed before", "answered before it failed", "answered since it failed"],
)
def test_a_failed_probe_counts_until_something_is_answered(vitals: Vitals, *, failed: bool) -> None:
    assert vitals.failed_since(10) is failed


def test_the_trouble_is_the_latest_fault_since_the_first_that_followed_an_answer() -> None:
    wall_clock = FakeClock(1_795_000_000)
    vitals = Vitals(wall_clock=wall_clock)
    vitals.note_error(ModelServerError("long ago"))
    vitals.note_answer(1.0)
    assert vitals.trouble is None
    for text in ("first", "second"):
        wall_clock.now += 60
        vitals.note_error(ModelServerError(text))
    assert vitals.trouble == "failing since 2026-11-18 11:07:40 UTC: second"


def test_a_server_that_refuses_one_request_is_in_no_trouble() -> None:
    vitals = Vitals()
    vitals.note_error(ModelServerError("sick"))
    vitals.note_error(BadModelRequest("no such option"))
    assert vitals.trouble is None
