import pytest

from agents.core.model.vitals import Vitals


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
