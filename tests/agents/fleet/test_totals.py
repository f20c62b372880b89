from hypothesis import given
from hypothesis import strategies as st

from agents.fleet.totals import PROCESSES_MOST, Totals

steps = st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), st.integers(0, 3)), max_size=30)


@given(steps)
def test_processes_of_one_name_that_take_turns_add_up_to_what_each_has_counted(told: list[tuple[str, int]]) -> None:
    totals, counts, seen = Totals(), dict.fromkeys(["one", "two", "three"], 0), [0]
    for process, step in told:
        counts[process] += step
        seen += totals.add("breaker", process, (counts[process],), 0)
    heard = {process for process, _ in told}
    assert seen == sorted(seen)
    assert seen[-1] == sum(counts[process] for process in heard)


def test_processes_without_a_mark_began_anew_where_they_count_less() -> None:
    totals = Totals()
    assert [totals.add("pool", "", counts, 0) for counts in ((5, 2), (2, 3), (3, 3))] == [(5, 2), (7, 3), (8, 3)]


def test_however_often_a_host_starts_its_total_is_kept_and_grows() -> None:
    totals = Totals()
    for start in range(3 * PROCESSES_MOST):
        assert totals.add("agent", str(start), (1,), start) == (start + 1,)


def test_subjects_are_forgotten_after_a_day_of_silence_or_as_the_oldest_of_too_many() -> None:
    totals = Totals(kept_seconds=100, most=2)
    totals.add("a", "", (7,), 0)
    totals.add("b", "", (5,), 0)
    totals.add("a", "", (1,), 100)
    assert totals.add("a", "", (2,), 101) == (9,)
    assert totals.add("b", "", (1,), 101) == (1,)
    totals.add("c", "", (3,), 101)
    assert totals.add("b", "", (2,), 101) == (2,)
    assert totals.add("a", "", (2,), 101) == (2,)
