"""Servers that are shut, and entries that are pinned to one."""

from tests.support.server_line import ServerLine


def test_a_shut_server_starts_nothing_and_what_runs_there_goes_on() -> None:
    line = ServerLine(slots=2)
    line.add("ab", "tiny")
    assert line.start() == "a1 b1"
    line.schedule.shut("1", line.now)
    line.finish("a")
    line.add("cde", "tiny")
    assert line.start() == "c2 d2"
    assert line.schedule.server("1").running == 1
    line.schedule.open("1")
    assert line.start() == "e1"


def test_with_all_servers_shut_everything_waits() -> None:
    line = ServerLine()
    for name in "12":
        line.schedule.shut(name, line.now)
    line.add("a", "tiny", priority=9)
    assert line.start() == ""
    line.schedule.open("2")
    assert line.start() == "a2"


def test_an_entry_pinned_to_a_server_runs_there_and_only_there_even_while_it_is_shut() -> None:
    line = ServerLine()
    line.schedule.shut("2", line.now)
    line.add("a", "tiny", priority=9)
    line.add("p", "tiny", server="2")
    line.add("q", "tiny", server="2")
    assert line.start() == "a1 p2"
    line.finish("a")
    assert line.start() == ""
    line.finish("p")
    assert line.start() == "q2"


def test_nothing_lower_starts_on_a_server_that_a_pinned_entry_waits_for() -> None:
    line = ServerLine(slots=2)
    line.add("ab", "tiny", priority=2)
    line.add("cd", "tiny", priority=2)
    line.start()
    line.add("p", "coder", priority=7, server="2")
    line.add("ef", "tiny", priority=2)
    line.finish("ac")
    assert line.start() == "e1"
    line.finish("d")
    assert line.start() == "p2"


def test_pinned_and_free_entries_of_a_lane_keep_the_order_of_their_arrival() -> None:
    line = ServerLine(servers="1")
    line.add("a", "tiny")
    line.add("b", "tiny", server="1")
    line.add("c", "tiny")
    order = []
    for name in "abc":
        order.append(line.start())
        line.finish(name)
    assert order == ["a1", "b1", "c1"]


def test_a_lane_that_hangs_on_a_shut_server_is_not_served_by_that() -> None:
    line = ServerLine()
    line.add("a", "tiny")
    line.add("x", "coder")
    assert line.start() == "a1 x2"
    line.add("b", "tiny")
    line.add("y", "coder")
    line.schedule.shut("1", line.now)
    line.now = 31
    line.finish("x")
    assert line.start() == "b2"


def test_a_lane_waits_from_when_its_server_was_shut() -> None:
    line = ServerLine()
    line.add("a", "tiny")
    line.add("x", "coder")
    line.start()
    line.add("b", "tiny")
    line.add("y", "coder")
    line.now = 20
    line.schedule.shut("1", line.now)
    line.now = 31
    line.finish("x")
    assert line.start() == "y2"
    line.now = 40
    line.finish("a")
    line.now = 51
    line.add("z", "coder")
    line.finish("y")
    assert line.start() == "b2", "what ended on the shut server did not count"


def test_shutting_a_shut_server_changes_nothing() -> None:
    line = ServerLine()
    line.add("a", "tiny")
    line.add("x", "coder")
    line.start()
    line.add("b", "tiny")
    line.add("y", "coder")
    line.schedule.shut("1", 0.0)
    line.now = 31
    line.schedule.shut("1", line.now)
    line.finish("x")
    assert line.start() == "b2"
