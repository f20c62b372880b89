from hypothesis import given
from hypothesis import strategies as st

from agents.top.speeds import CELLS, LEAST_WINDOW_SECONDS, Speeds
from schemas import PoolReport
from tests.support import reports

KEY = ("a", "http://s")


def wrote(tokens: int) -> PoolReport:
    return reports.pool().model_copy(update={"tokens_out": tokens})


def test_tokens_between_two_reports_make_a_speed() -> None:
    speeds = Speeds(least_seconds=4)
    for at, tokens in ((0, 100), (5, 110), (6, 111), (10, 140)):
        speeds.note(wrote(tokens), at)
    assert speeds.history(KEY) == (2.0, 6.0)
    assert speeds.now(KEY) == 40 / LEAST_WINDOW_SECONDS
    assert (speeds.history(("b", "http://s")), speeds.now(("b", "http://s"))) == ((), 0.0)


def test_a_host_that_begins_anew_counts_from_nothing() -> None:
    speeds = Speeds(least_seconds=4)
    for at, tokens in ((0, 100), (5, 200), (10, 3), (15, 8)):
        speeds.note(wrote(tokens), at)
    assert speeds.history(KEY) == (1.0,)


def test_the_history_of_minutes_is_in_as_many_cells_as_are_shown() -> None:
    speeds = Speeds(least_seconds=4)
    for sample in range(61):  # five minutes, the first half of them ten times as fast
        speeds.note(wrote(20 * min(sample, 30) + 2 * max(0, sample - 30)), 5 * sample)
    assert len(speeds.history(KEY)) == CELLS
    assert speeds.history(KEY)[:4] == (4.0,) * 4
    assert speeds.history(KEY)[4:] == (0.4,) * 4


def test_the_first_answer_after_a_start_is_no_enormous_speed() -> None:
    speeds = Speeds(least_seconds=4)
    for at, tokens in ((0, 1000), (5, 1100)):
        speeds.note(wrote(tokens), at)
    assert speeds.now(KEY) == 5.0
    speeds.note(wrote(1100), 40)
    assert speeds.now(KEY) == 2.5


def test_only_the_last_minute_counts_as_now() -> None:
    speeds = Speeds(least_seconds=4)
    for at, tokens in ((0, 0), (100, 1000), (150, 1000)):
        speeds.note(wrote(tokens), at)
    assert speeds.now(KEY) == 0.0


def test_a_host_that_is_forgotten_has_no_speed() -> None:
    speeds = Speeds(least_seconds=4)
    for at, tokens in ((0, 0), (5, 10)):
        speeds.note(wrote(tokens), at)
    speeds.forget("a")
    assert speeds.history(KEY) == ()


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10_000))))
def test_speeds_are_never_below_nothing_and_their_number_is_bounded(steps: list[tuple[float, int]]) -> None:
    speeds, now = Speeds(least_seconds=1), 0.0
    for seconds, tokens in steps * 5:
        now += seconds
        speeds.note(wrote(tokens), now)
        assert all(speed >= 0 for speed in (speeds.now(KEY), *speeds.history(KEY)))
    assert len(speeds.history(KEY)) <= CELLS
