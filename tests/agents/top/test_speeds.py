from hypothesis import given
from hypothesis import strategies as st

from agents.top.speeds import CELLS, LEAST_WINDOW_SECONDS, Speeds

KEY = ("a", "http://s")


def test_tokens_between_two_reports_make_a_speed() -> None:
    speeds = Speeds(least_seconds=4)
    for at, growth in ((0, 0), (5, 10), (6, 1), (10, 29)):
        speeds.note(KEY, growth, at)
    assert speeds.history(KEY) == (2.0, 6.0)
    assert speeds.now(KEY) == 40 / LEAST_WINDOW_SECONDS
    assert (speeds.history(("b", "http://s")), speeds.now(("b", "http://s"))) == ((), 0.0)


def test_the_history_of_minutes_is_in_as_many_cells_as_are_shown() -> None:
    speeds = Speeds(least_seconds=4)
    for sample in range(61):  # five minutes, the first half of them ten times as fast
        speeds.note(KEY, 20 if sample <= 30 else 2, 5 * sample)
    assert len(speeds.history(KEY)) == CELLS
    assert speeds.history(KEY)[:4] == (4.0,) * 4
    assert speeds.history(KEY)[4:] == (0.4,) * 4


def test_the_first_answer_after_a_start_is_no_enormous_speed() -> None:
    speeds = Speeds(least_seconds=4)
    for at, growth in ((0, 0), (5, 100)):
        speeds.note(KEY, growth, at)
    assert speeds.now(KEY) == 5.0
    speeds.note(KEY, 0, 40)
    assert speeds.now(KEY) == 2.5


def test_only_the_last_minute_counts_as_now() -> None:
    speeds = Speeds(least_seconds=4)
    for at, growth in ((0, 0), (100, 1000), (150, 0)):
        speeds.note(KEY, growth, at)
    assert speeds.now(KEY) == 0.0


def test_only_hosts_that_are_kept_have_a_speed() -> None:
    speeds = Speeds(least_seconds=4)
    for at, growth in ((0, 0), (5, 10)):
        speeds.note(KEY, growth, at)
    speeds.keep({"a"})
    assert speeds.history(KEY) == (2.0,)
    speeds.keep(())
    assert (speeds.history(KEY), speeds.now(KEY)) == ((), 0.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10_000))))
def test_speeds_are_never_below_nothing_and_their_number_is_bounded(steps: list[tuple[float, int]]) -> None:
    speeds, now = Speeds(least_seconds=1), 0.0
    for seconds, growth in steps * 5:
        now += seconds
        speeds.note(KEY, growth, now)
        assert all(speed >= 0 for speed in (speeds.now(KEY), *speeds.history(KEY)))
    assert len(speeds.history(KEY)) <= CELLS
