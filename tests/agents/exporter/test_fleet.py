from hypothesis import given
from hypothesis import strategies as st

from agents.exporter.bounded_names import BoundedNames
from agents.exporter.fleet import Fleet
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
    assert [told.total for told in fleet.latest(BreakerReport)] == [1]


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
            seen += [told.total for told in fleet.latest(AgentReport)]
    assert seen == sorted(seen)
    assert seen[-1] == sum(map(sum, lives))


@given(st.lists(st.text(max_size=2)), st.integers(0, 5))
def test_names_keep_the_label_that_they_got_first_and_there_are_never_more_than_that(
    names: list[str], most: int
) -> None:
    bounded = BoundedNames(most)
    labels = [bounded.fold(name) for name in names]
    assert [bounded.fold(name) for name in names] == labels
    assert len(set(labels) - {"other"}) <= most
    assert all(label in (name, "other") for name, label in zip(names, labels, strict=True))
    assert bounded.fold(None) == "other"
