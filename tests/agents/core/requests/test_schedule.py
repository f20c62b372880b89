"""The order of the schedule, case by case."""

from itertools import count
from typing import Any

import pytest

from agents.core.requests import last_runs
from agents.core.requests.entry import Entry
from agents.core.requests.schedule import Schedule


class Line:
    """A schedule with short names: entries are called by letters, time is set by hand."""

    def __init__(self, slots: int = 1, lane_bound: float = 30.0, lanes_in_flight: int = 1) -> None:
        self.schedule = Schedule(slots, lane_bound, lanes_in_flight)
        self.orders = count()
        self.now = 0.0

    def add(self, name: str, lane: str | None = None, priority: int = 4) -> Entry:
        entry = Entry(name, priority, lane, self.now, next(self.orders))
        self.schedule.add(entry)
        return entry

    def start(self) -> str | None:
        start = self.schedule.start(self.now)
        return None if start is None else start.entry.id

    def finish(self, name: str) -> None:
        self.schedule.finish(name, self.now)

    def run_all(self) -> str:
        """Run everything one after the other and return the names in order."""
        names = ""
        while (name := self.start()) is not None:
            names += name
            self.finish(name)
        return names


def test_the_highest_priority_goes_first_and_arrival_decides_within_it() -> None:
    line = Line()
    for name, priority in (("a", 0), ("b", 9), ("c", 4), ("d", 9), ("e", 0)):
        line.add(name, priority=priority)
    assert line.run_all() == "bdcae"


def test_the_loaded_lane_goes_on_before_another_is_loaded() -> None:
    line = Line()
    for name, lane in (("a", "tiny"), ("b", "coder"), ("c", "tiny"), ("d", "coder")):
        line.add(name, lane)
    assert line.run_all() == "acbd"


def test_priority_goes_before_the_loaded_lane() -> None:
    line = Line()
    line.add("a", "tiny")
    line.add("b", "tiny")
    line.add("c", "coder", priority=9)
    line.schedule.loaded("", ["tiny"])
    assert line.run_all() == "cab"


def test_a_lane_may_be_said_to_be_loaded() -> None:
    line = Line()
    line.add("a", "tiny")
    line.add("b", "coder")
    line.schedule.loaded("", ["coder"])
    assert line.run_all() == "ba"
    assert line.schedule.loaded_lane == "tiny"


def test_a_second_lane_waits_until_the_first_has_drained() -> None:
    line = Line(slots=2)
    line.add("a", "tiny")
    line.add("b", "coder")
    assert line.start() == "a"
    assert line.start() is None
    assert line.schedule.server("").running_lanes == {"tiny"}
    line.finish("a")
    assert line.start() == "b"


def test_nothing_lower_slips_in_while_a_higher_one_waits_for_a_lane_to_drain() -> None:
    line = Line(slots=3)
    line.add("a", "tiny")
    assert line.start() == "a"
    line.add("b", "tiny", priority=2)
    line.add("c", "coder", priority=7)
    line.add("d", None, priority=2)
    assert line.start() is None
    line.finish("a")
    assert line.run_all() == "cdb"


def test_an_overdue_lane_goes_next_and_stops_the_running_lane_from_going_on() -> None:
    line = Line(slots=2)
    for name, lane in (("a", "tiny"), ("b", "tiny"), ("c", "tiny"), ("z", "coder")):
        line.add(name, lane)
    assert (line.start(), line.start()) == ("a", "b")
    line.now = 31
    line.finish("a")
    assert line.start() is None
    line.finish("b")
    assert line.start() == "z"


def test_of_two_overdue_lanes_the_one_that_waited_longest_goes_first() -> None:
    line = Line()
    line.add("a", "tiny")
    line.start()
    line.now = 1
    line.add("b", "coder")
    line.now = 2
    line.add("c", "vision")
    line.add("d", "tiny")
    line.now = 40
    line.finish("a")
    assert line.start() == "b"
    line.finish("b")
    assert line.start() == "c"


def test_an_overdue_lane_that_ran_later_goes_after_one_that_arrived_later() -> None:
    line = Line()
    for name, lane in (("a", "tiny"), ("b", "tiny"), ("x", "coder")):
        line.add(name, lane)
    line.start()
    line.now = 20
    line.finish("a")
    line.add("v", "vision", priority=9)
    assert line.start() == "v"
    line.now = 60
    line.finish("v")
    assert line.run_all() == "xb"


def test_a_lane_is_not_overdue_by_the_time_it_was_served_itself() -> None:
    line = Line(lane_bound=30)
    for number in range(4):
        line.add(f"a{number}", "tiny")
        line.add(f"b{number}", "coder")
    order = []
    while (name := line.start()) is not None:
        order.append(name[0])
        line.now += 20
        line.finish(name)
    assert "".join(order) == "aabbaabb"


def test_an_entry_of_no_lane_takes_a_slot_but_no_lane() -> None:
    line = Line(slots=2)
    line.add("a", "tiny")
    assert line.start() == "a"
    line.add("b", None)
    line.add("c", None)
    assert line.start() == "b"
    assert line.start() is None
    line.finish("a")
    assert line.start() == "c"
    assert line.schedule.loaded_lane == "tiny"


def test_an_entry_of_no_lane_may_start_while_a_lane_drains() -> None:
    line = Line(slots=2)
    line.add("a", "tiny")
    line.start()
    line.add("b", "coder")
    line.now = 40
    line.add("c", None)
    assert line.start() == "c"
    line.finish("a")
    assert line.start() == "b"


def test_an_entry_of_no_lane_goes_in_arrival_order_with_the_loaded_lane_and_before_a_swap() -> None:
    line = Line()
    for name, lane in (("z", "coder"), ("a", "tiny"), ("b", None), ("c", "tiny")):
        line.add(name, lane)
    line.schedule.loaded("", ["tiny"])
    assert line.run_all() == "abcz"


def test_two_lanes_may_be_in_flight_if_told_so() -> None:
    line = Line(slots=3, lanes_in_flight=2)
    for name, lane in (("a", "tiny"), ("b", "coder"), ("c", "vision"), ("d", "tiny")):
        line.add(name, lane)
    assert [line.start() for _ in range(3)] == ["a", "d", "b"]
    line.finish("a")
    assert line.start() is None
    line.finish("d")
    assert line.start() == "c"


def test_an_entry_that_comes_back_takes_its_old_place() -> None:
    line = Line()
    first = line.add("a", "tiny")
    for name in "bc":
        line.add(name, "tiny")
    assert line.start() == "a"
    line.finish("a")
    line.schedule.add(first)
    assert line.run_all() == "abc"


def test_a_removed_entry_is_gone_and_only_waiting_ones_can_be_removed() -> None:
    line = Line()
    for name in "abc":
        line.add(name, "tiny")
    line.start()
    assert line.schedule.remove("b")
    assert not line.schedule.remove("b")
    assert not line.schedule.remove("a")
    line.finish("a")
    assert line.run_all() == "c"


def test_the_views_tell_how_many_wait_and_run() -> None:
    line = Line()
    for name, lane, priority in (("a", None, 9), ("b", "tiny", 2), ("c", None, 9), ("d", "coder", 2)):
        line.add(name, lane, priority)
    line.start()
    assert (line.schedule.waiting, line.schedule.running) == (3, 1)


def test_of_a_lane_whose_last_run_is_forgotten_the_arrival_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_runs, "RUNS_REMEMBERED", 2)
    line = Line()
    for name in "ad":
        line.add(name, "tiny")
    assert line.start() == "a"
    line.now = 20
    line.finish("a")
    line.add("b", "coder", priority=9)
    assert line.start() == "b"
    line.finish("b")
    line.now = 35
    line.add("c", "coder")
    assert line.start() == "d"


def test_an_id_cannot_be_added_twice_and_only_running_ones_finish() -> None:
    line = Line()
    line.add("a")
    with pytest.raises(ValueError, match="'a' is already waiting or running: use a new one"):
        line.add("a")
    line.start()
    with pytest.raises(ValueError, match="'a' is already waiting or running"):
        line.add("a")
    with pytest.raises(KeyError):
        line.finish("b")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"slots": 0}, "slots is 0: use a whole number of at least 1"),
        ({"slots": 1, "lane_bound": -1}, "lane_bound is -1: use a number of at least 0"),
        ({"slots": 1, "lanes_in_flight": 0}, "lanes_in_flight is 0: use a whole number of at least 1"),
    ],
)
def test_a_bad_argument_is_named_with_its_remedy(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Schedule(**arguments)
