"""The order over several servers, case by case."""

import pytest

from agents.core.requests.entry import Entry
from agents.core.requests.schedule import Schedule
from tests.support.server_line import ServerLine


def test_two_servers_have_twice_the_slots() -> None:
    line = ServerLine(slots=2)
    line.add("abcde", "tiny")
    assert line.start() == "a1 b1 c2 d2"
    assert (line.schedule.running, line.schedule.waiting) == (4, 1)
    line.finish("c")
    assert line.start() == "e2"


def test_each_server_keeps_to_its_own_lane() -> None:
    line = ServerLine(slots=2)
    line.add("a", "tiny")
    line.add("x", "coder")
    assert line.start() == "a1 x2"
    line.add("b", "tiny")
    line.add("y", "coder")
    assert line.start() == "b1 y2"
    assert [line.schedule.server(name).running_lanes for name in "12"] == [{"tiny"}, {"coder"}]


def test_a_lane_goes_to_the_server_that_holds_it_and_is_not_swapped_in_elsewhere() -> None:
    line = ServerLine()
    line.schedule.loaded("1", ["tiny"])
    line.schedule.loaded("2", ["coder"])
    line.add("x", "coder")
    line.add("a", "tiny")
    assert line.start() == "x2 a1"


def test_a_lane_is_loaded_a_second_time_where_its_own_server_is_full() -> None:
    line = ServerLine()
    line.schedule.loaded("1", ["tiny"])
    line.add("ab", "tiny")
    assert line.start() == "a1 b2"


def test_what_is_loaded_goes_before_a_swap_on_the_same_server() -> None:
    line = ServerLine()
    line.schedule.loaded("2", ["coder"])
    line.add("ab", "tiny")
    line.add("x", "coder")
    assert line.start() == "x2 a1"


def test_a_swap_drives_out_a_lane_that_nobody_waits_for() -> None:
    line = ServerLine()
    line.schedule.loaded("1", ["tiny"])
    line.schedule.loaded("2", ["coder"])
    line.add("a", "tiny", priority=2)
    line.add("v", "vision", priority=7)
    assert line.start() == "v2 a1"


def test_an_entry_of_no_lane_goes_where_least_runs() -> None:
    line = ServerLine(slots=2)
    line.add("a", "tiny")
    assert line.start() == "a1"
    line.add("bcd")
    assert line.start() == "b2 c2 d1"


def test_of_two_servers_that_run_the_same_number_the_one_that_started_a_lane_first_is_taken() -> None:
    line = ServerLine(slots=3)
    line.add("a", "tiny")
    line.add("x", "coder")
    assert line.start() == "a1 x2"
    line.add("bc")
    assert line.start() == "b1 c2"


def test_the_highest_priority_goes_to_any_server_that_can_take_it() -> None:
    line = ServerLine()
    line.add("l", "tiny", priority=2)
    assert line.start() == "l1"
    line.add("m", "tiny", priority=2)
    line.add("h", "coder", priority=7)
    assert line.start() == "h2"


def test_a_lower_priority_goes_on_where_nothing_higher_needs_the_slot() -> None:
    line = ServerLine(slots=2)
    line.add("abcd", "tiny", priority=2)
    assert line.start() == "a1 b1 c2 d2"
    line.add("ef", "tiny", priority=2)
    line.add("h", "coder", priority=7)
    line.finish("ac")
    assert line.start() == "e2", "server 1 started a lane the longest ago: it drains for h, server 2 goes on"
    line.finish("b")
    assert line.start() == "h1"


def test_as_many_servers_drain_as_the_higher_priority_fills() -> None:
    line = ServerLine(slots=2)
    line.add("abcd", "tiny", priority=2)
    line.start()
    line.add("ef", "tiny", priority=2)
    line.add("hij", "coder", priority=7)
    line.finish("ac")
    assert line.start() == ""
    line.finish("b")
    assert line.start() == "h1 i1 e2", "server 1 has slots enough for j: server 2 goes on"
    line.finish("h")
    assert line.start() == "j1"


def test_a_higher_priority_that_runs_on_a_full_server_waits_for_that_one() -> None:
    line = ServerLine(slots=2)
    line.add("xy", "tiny", priority=2)
    line.add("hi", "coder", priority=7)
    assert line.start() == "h1 i1 x2 y2"
    line.add("j", "coder", priority=7)
    line.add("z", "tiny", priority=2)
    line.finish("x")
    assert line.start() == "z2"


def test_one_server_drains_for_an_overdue_lane_and_the_other_goes_on() -> None:
    line = ServerLine(slots=2)
    line.add("abcdefg", "tiny")
    assert line.start() == "a1 b1 c2 d2"
    line.add("x", "coder")
    line.now = 31
    line.finish("ac")
    assert line.start() == "e2"
    line.finish("d")
    assert line.start() == "f2", "the server that drains stays the same"
    line.finish("b")
    assert line.start() == "x1"


def test_the_server_that_drains_is_not_changed_for_one_that_has_less_to_do() -> None:
    line = ServerLine(slots=3)
    line.add("abcdef", "tiny")
    assert line.start() == "a1 b1 c1 d2 e2 f2"
    line.add("g", "tiny")
    line.add("x", "coder")
    line.now = 31
    line.finish("ade")
    assert line.start() == "g2"


def test_two_overdue_lanes_drain_two_servers() -> None:
    line = ServerLine(slots=2)
    line.add("abcde", "tiny")
    line.start()
    line.add("x", "coder")
    line.add("v", "vision")
    line.now = 31
    line.finish("ac")
    assert line.start() == ""
    line.finish("bd")
    assert line.start() == "x1 v2"


def test_entries_that_share_a_place_in_the_line_are_not_confused() -> None:
    schedule = Schedule(1)
    for name in "abc":
        schedule.add(Entry(name, 4, "tiny", 0.0, 7))
    assert schedule.remove("c")
    start = schedule.start(0.0)
    assert start is not None
    assert start.entry.id == "a"
    assert schedule.remove("b")
    assert schedule.waiting == 0


@pytest.mark.parametrize("servers", [(), ("a", "b", "a")])
def test_servers_need_names_of_their_own(servers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"servers is .*: name at least one, and each only once"):
        Schedule(1, servers=servers)


def test_a_server_that_is_not_known_is_named_with_those_that_are() -> None:
    line = ServerLine()
    sentence = "server '3' is not known: use one of '1', '2'"
    with pytest.raises(ValueError, match=sentence):
        line.add("a", server="3")
    with pytest.raises(ValueError, match=sentence):
        line.schedule.shut("3", line.now)
    with pytest.raises(ValueError, match=sentence):
        line.schedule.open("3")
    assert line.schedule.waiting == 0
