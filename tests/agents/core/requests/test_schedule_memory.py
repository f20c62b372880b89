"""Lanes that are known to be in the memory of a server together."""

from tests.support.server_line import ServerLine


def test_lanes_that_are_known_to_fit_run_side_by_side_on_their_server_only() -> None:
    line = ServerLine(slots=2)
    line.schedule.fits("1", ["tiny", "coder"])
    line.add("a", "tiny")
    line.add("x", "coder")
    line.add("v", "vision")
    assert line.start() == "a1 x1 v2"
    line.add("b", "tiny")
    assert line.start() == "", "vision runs on server 2, and nobody said that they fit there"


def test_a_lane_beside_those_that_fit_waits_until_all_have_drained() -> None:
    line = ServerLine(slots=3, servers="1")
    line.schedule.fits("1", ["tiny", "coder"])
    line.add("a", "tiny")
    line.add("x", "coder")
    line.add("v", "vision")
    assert line.start() == "a1 x1"
    line.finish("a")
    assert line.start() == ""
    line.finish("x")
    assert line.start() == "v1"


def test_lanes_no_longer_fit_when_another_has_driven_one_out() -> None:
    line = ServerLine(slots=2, servers="1")
    line.schedule.fits("1", ["tiny", "coder"])
    line.add("v", "vision")
    assert line.start() == "v1"
    line.finish("v")
    line.add("a", "tiny")
    line.add("x", "coder")
    assert line.start() == "a1"


def test_lanes_no_longer_fit_when_fewer_are_said_to_be_loaded() -> None:
    line = ServerLine(slots=2, servers="1")
    line.schedule.fits("1", ["tiny", "coder"])
    line.schedule.loaded("1", ["coder"])
    line.add("a", "tiny")
    line.add("x", "coder")
    assert line.start() == "x1"


def test_a_lane_that_runs_is_in_memory_whatever_is_said() -> None:
    line = ServerLine(slots=2, servers="1")
    line.add("a", "tiny")
    line.start()
    line.schedule.loaded("1", [])
    assert line.schedule.server("1").in_memory == {"tiny"}
