from hypothesis import given
from hypothesis import strategies as st

from agents.fleet.totals import PROCESSES_KEPT, PROCESSES_MOST, SILENT_SECONDS, Totals

steps = st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), st.integers(0, 3)), max_size=30)


@given(steps)
def test_processes_of_one_name_that_take_turns_add_up_to_what_each_has_counted(told: list[tuple[str, int]]) -> None:
    totals, counts, seen = Totals(), dict.fromkeys(["one", "two", "three"], 0), [0]
    for process, step in told:
        counts[process] += step
        seen += totals.add("breaker", process, (counts[process],), 0).totals
    heard = {process for process, _ in told}
    assert seen == sorted(seen)
    assert seen[-1] == sum(counts[process] for process in heard)


def test_processes_without_a_mark_began_anew_where_they_count_less() -> None:
    totals = Totals()
    told = [totals.add("pool", "", counts, 0).totals for counts in ((5, 2), (2, 3), (3, 3))]
    assert told == [(5, 2), (7, 3), (8, 3)]


def test_growth_is_what_a_process_has_counted_since_it_was_heard_and_not_what_it_had_when_it_came() -> None:
    totals = Totals()
    told = [("one", (7, 9)), ("two", (1000, 0)), ("one", (8, 9)), ("two", (1000, 5)), ("two", (3, 1))]
    assert [totals.add("pool", process, counts, 0).growth for process, counts in told] == [
        (0, 0), (0, 0), (1, 0), (0, 5), (3, 1),
    ]  # fmt: skip


def test_however_often_a_host_starts_its_total_is_kept_and_grows() -> None:
    totals = Totals()
    for start in range(3 * PROCESSES_MOST):
        assert totals.add("agent", str(start), (1,), 60 * start).totals == (start + 1,)


def test_many_processes_that_share_a_name_do_not_make_its_total_grow_by_telling_the_same_again() -> None:
    totals = Totals()
    for minute in range(4):
        told = [totals.add("agent", str(name), (3,), 60 * minute).totals for name in range(4 * PROCESSES_KEPT)]
        assert told[-1] == (3 * 4 * PROCESSES_KEPT,)


def test_processes_beyond_the_most_count_once_others_have_been_silent_for_long() -> None:
    totals = Totals()
    for _ in range(2):
        for name in range(PROCESSES_MOST + 1):
            told = totals.add("agent", str(name), (3,), 0)
    assert told == ((3 * PROCESSES_MOST,), (0,))
    assert totals.add("agent", str(PROCESSES_MOST), (4,), SILENT_SECONDS + 1) == ((3 * PROCESSES_MOST + 4,), (0,))
    assert totals.add("agent", str(PROCESSES_MOST), (6,), SILENT_SECONDS + 2) == ((3 * PROCESSES_MOST + 6,), (2,))


def test_subjects_are_forgotten_after_a_day_of_silence_or_as_the_oldest_of_too_many() -> None:
    totals = Totals(kept_seconds=100, most=2)
    totals.add("a", "", (7,), 0)
    totals.add("b", "", (5,), 0)
    totals.add("a", "", (1,), 100)
    assert totals.add("a", "", (2,), 101).totals == (9,)
    assert totals.add("b", "", (1,), 101).totals == (1,)
    totals.add("c", "", (3,), 101)
    assert totals.add("b", "", (2,), 101).totals == (2,)
    assert totals.add("a", "", (2,), 101).totals == (2,)
