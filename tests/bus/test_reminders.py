"""A fault that lasts is told seldom, and the longer it lasts the more so."""

from hypothesis import given
from hypothesis import strategies as st

from bus.reminders import FIRST_SECONDS, LONGEST_SECONDS, Reminders


def due_at(seconds: int) -> list[int]:
    """Return when somebody is told who looks each second."""
    reminders = Reminders(0)
    return [now for now in range(1, seconds + 1) if reminders.is_due(now)]


def test_an_outage_of_a_minute_is_told_twice_after_its_beginning() -> None:
    assert due_at(62) == [10, 30]


def test_a_long_outage_is_told_every_ten_minutes() -> None:
    assert due_at(4000) == [10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030, 3630]


@given(st.lists(st.floats(0, 10_000), max_size=50))
def test_no_two_reminders_are_closer_than_the_pause_between_them(looks: list[float]) -> None:
    reminders = Reminders(0)
    told = [now for now in sorted(looks) if reminders.is_due(now)]
    pauses = [later - earlier for earlier, later in zip([0.0, *told], told, strict=False)]
    assert all(pause >= min(FIRST_SECONDS * 2**number, LONGEST_SECONDS) * 0.999 for number, pause in enumerate(pauses))
