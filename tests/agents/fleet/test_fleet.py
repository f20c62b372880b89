from hypothesis import given
from hypothesis import strategies as st

from agents.fleet.fleet import GONE_SECONDS, PATIENCE_MOST, Fleet
from schemas import AgentReport, BreakerReport, HostReport, PoolReport
from tests.support import reports
from tests.support.clock import FakeClock


def test_the_last_report_on_a_subject_counts() -> None:
    fleet = Fleet(90)
    for state in ("closed", "open"):
        fleet.note(reports.breaker(state=state))
    fleet.note(reports.breaker(server="http://t"))
    assert [told.report.state for told in fleet.latest(BreakerReport)] == ["open", "closed"]
    assert not list(fleet.latest(PoolReport))


def test_what_is_not_reported_for_as_long_as_that_is_gone_and_its_host_with_it() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    fleet.note(reports.agent("x"))
    fleet.note(reports.host("b"))
    clock.now = 60
    fleet.note(reports.host("a"))
    assert fleet.ages() == {"a": 0, "b": 60}
    clock.now = 90
    assert len(list(fleet.latest(AgentReport))) == 1
    clock.now = 91
    assert (list(fleet.latest(AgentReport)), fleet.ages()) == ([], {"a": 31})
    clock.now = 151
    assert (list(fleet.latest(HostReport)), fleet.ages()) == ([], {})


def test_hosts_that_come_and_go_are_forgotten_though_nobody_looks() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    fleet.note(reports.breaker("a", trips=3))
    clock.now = 100
    fleet.note(reports.host("b"))
    fleet.note(reports.breaker("a", trips=1))
    assert len(fleet.reports(BreakerReport)) == 1
    assert fleet.breaker("a", "http://t") is None


def test_a_total_does_not_fall_when_a_host_comes_back_after_a_silence() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    for trips in (5, 2):
        fleet.note(reports.breaker(trips=trips))
    clock.now = 100
    assert not fleet.reports(BreakerReport)
    fleet.note(reports.breaker(trips=2))
    assert [told.totals for told in fleet.latest(BreakerReport)] == [(7,)]


def test_two_processes_of_one_name_are_no_restarts_of_each_other() -> None:
    fleet = Fleet(90)
    for _ in range(10):
        fleet.note(reports.breaker(trips=3, process="one"))
        fleet.note(reports.breaker(trips=0, process="two"))
    assert [told.totals for told in fleet.latest(BreakerReport)] == [(3,)]


def test_a_copy_stays_as_it_is_while_the_fleet_goes_on_and_the_other_way_round() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    for process in ("one", "two"):
        fleet.note(reports.host("a", "x", process=process))
    twin = fleet.copy()
    fleet.note(reports.host("a", process="three"))
    fleet.note(reports.host("b"))
    assert (twin.ages(), twin.processes(), twin.gone()) == ({"a": 0}, {"a": 2}, [])
    clock.now = 91
    assert (twin.ages(), twin.gone()) == ({}, ["a"])
    clock.now = 0
    assert (fleet.ages(), fleet.processes(), fleet.gone()) == ({"a": 0, "b": 0}, {"a": 3, "b": 1}, [])


def test_a_report_tells_by_how_much_its_counters_have_grown() -> None:
    fleet = Fleet(90)
    told = [reports.pool(tokens=tokens) for tokens in ((5, 100), (6, 130), (6, 10))]
    assert [fleet.note(report) for report in told] == [(0, 0), (1, 30), (0, 10)]
    assert fleet.note(reports.host()) == ()


def test_processes_are_counted_by_the_name_of_their_host_until_they_close_or_fall_silent() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    for process in ("one", "two"):
        fleet.note(reports.host("a", process=process))
    fleet.note(reports.host("b", process="three"))
    assert fleet.processes() == {"a": 2, "b": 1}
    clock.now = 50
    fleet.note(reports.host("a", process="one"))
    assert fleet.processes(within=30) == {"a": 1, "b": 0}
    fleet.note(reports.host("b", process="three", state="closing"))
    assert fleet.processes() == {"a": 2, "b": 0}
    clock.now = 91
    assert fleet.processes() == {"a": 1, "b": 0}
    clock.now = 141
    assert fleet.processes() == {}


def test_a_host_is_judged_by_its_own_interval_and_nobody_sooner_than_the_others() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    for name, interval in (("slow", 300), ("quick", 1), ("old", None)):
        fleet.note(reports.host(name, interval=interval, process="one"))
        fleet.note(reports.agent("x", name))
    clock.now = 90
    assert list(fleet.ages()) == ["slow", "quick", "old"]
    clock.now = 91
    assert (fleet.ages(), fleet.processes(), fleet.gone()) == ({"slow": 91}, {"slow": 1}, ["quick", "old"])
    clock.now = 900
    assert [report.host for report in fleet.reports(AgentReport)] == ["slow"]
    clock.now = 901
    assert (fleet.ages(), fleet.processes(), fleet.gone()) == ({}, {}, ["quick", "old", "slow"])


def test_two_processes_of_one_name_are_judged_each_by_its_own_interval() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    fleet.note(reports.host(process="slow", interval=300))
    fleet.note(reports.host(process="quick", interval=30))
    clock.now = 91
    assert fleet.processes() == {"a": 1}
    fleet.note(reports.host(process="slow", interval=300))
    clock.now = 900
    assert fleet.processes() == {"a": 1}


def test_a_host_that_has_said_goodbye_is_not_waited_for_and_an_absurd_interval_is_no_reason_to_wait_for_ever() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    fleet.note(reports.host("closed", interval=300))
    fleet.note(reports.host("closed", interval=300, state="closing"))
    fleet.note(reports.host("absurd", interval=1e300))
    clock.now = 91
    assert list(fleet.ages()) == ["absurd"]
    clock.now = PATIENCE_MOST + 1
    assert list(fleet.ages()) == []


def test_a_host_that_falls_silent_without_a_goodbye_is_gone_until_it_is_back_or_for_an_hour() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    for name in ("crashed", "cut-off", "forgotten"):
        fleet.note(reports.host(name))
    fleet.note(reports.host("stopped", state="closing"))
    fleet.forget("forgotten")
    assert fleet.gone() == []
    clock.now = 91
    assert fleet.gone() == ["crashed", "cut-off"]
    fleet.note(reports.host("cut-off"))
    assert fleet.gone() == ["crashed"]
    clock.now = 91 + GONE_SECONDS + 1
    assert fleet.gone() == ["cut-off"]
    fleet.forget("cut-off")
    assert fleet.gone() == []


@given(st.lists(st.lists(st.integers(0, 3), max_size=5), max_size=5))
def test_a_total_grows_by_what_each_life_of_the_host_counted_and_never_falls(lives: list[list[int]]) -> None:
    fleet = Fleet(90)
    seen = [0]
    for life in lives:
        count = 0
        fleet.note(reports.agent(losses=0))
        for step in life:
            count += step
            fleet.note(reports.agent(losses=count))
            seen += [losses for told in fleet.latest(AgentReport) for losses in told.totals]
    assert seen == sorted(seen)
    assert seen[-1] == sum(map(sum, lives))


def test_a_fleet_with_no_bound_forgets_nobody_but_who_is_to_be_forgotten() -> None:
    clock = FakeClock()
    fleet = Fleet(clock=clock)
    fleet.note(reports.host("a", "x"))
    fleet.note(reports.agent("x"))
    fleet.note(reports.breaker("b", state="open"))
    clock.now = 1e9
    assert fleet.ages() == {"a": 1e9, "b": 1e9}
    fleet.forget("a")
    assert fleet.ages() == {"b": 1e9}
    assert not fleet.reports(HostReport)


def test_the_breaker_before_a_server_is_found_by_both() -> None:
    fleet = Fleet()
    fleet.note(reports.breaker("a", state="open", server="http://s"))
    told = fleet.breaker("a", "http://s")
    assert told is not None
    assert told.report.state == "open"
    assert fleet.breaker("a", "http://t") is fleet.breaker("b", "http://s") is None


def test_a_fleet_is_complete_once_each_named_host_has_told_of_all_its_agents() -> None:
    fleet = Fleet()
    fleet.note(reports.host("a", "x", "y"))
    fleet.note(reports.agent("x"))
    assert not fleet.knows_all_of(["a"])
    fleet.note(reports.agent("y"))
    assert fleet.knows_all_of(["a"])
    assert not fleet.knows_all_of(["a", "b"])
    assert not fleet.knows_all_of([])
