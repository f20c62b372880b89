import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agents.exporter.bounded_names import BoundedNames
from agents.exporter.fleet_metrics import FleetMetrics
from agents.exporter.labels import HOSTS_MOST, Labels
from agents.fleet.fleet import Fleet
from schemas import Report
from tests.support import reports
from tests.support.clock import FakeClock
from tests.support.metrics_page import MetricsPage


def page_of(*told: Report, labels: Labels | None = None, seconds_ago: float = 0) -> MetricsPage:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    for report in told:
        fleet.note(report)
    clock.now = seconds_ago
    registry = CollectorRegistry()
    registry.register(FleetMetrics(fleet, labels or Labels()))
    return MetricsPage(generate_latest(registry).decode())


def test_a_host_tells_its_version_memory_cpu_held_tasks_and_age() -> None:
    page = page_of(reports.host("a", held=3))
    assert page("sutazai_host_info", host="a", version="0.1.0") == 1
    assert page("sutazai_host_memory_bytes", host="a") == 1_000_000
    assert page("sutazai_host_cpu_ratio", host="a") == pytest.approx(0.5)
    assert page("sutazai_held", host="a") == 3
    assert page("sutazai_report_age_seconds", host="a") == 0


def test_a_host_tells_how_many_processes_have_its_name_and_whether_it_has_vanished() -> None:
    twins = [reports.host("a", process=process) for process in ("one", "two")]
    here = page_of(*twins, reports.host("b", process="three"))
    assert here.of("sutazai_host_processes", "host") == {"a": 2, "b": 1}
    assert here.of("sutazai_host_gone", "host") == {"a": 0, "b": 0}
    later = page_of(*twins, reports.host("b", state="closing"), seconds_ago=91)
    assert later.of("sutazai_host_processes", "host") == {}
    assert later.of("sutazai_host_gone", "host") == {"a": 1}


def test_consumers_and_breakers_are_in_one_state_and_tell_how_often_they_were_lost_or_tripped() -> None:
    page = page_of(
        reports.agent(consumer="lost", losses=2),
        reports.agent(consumer="starting", losses=1),  # its host has restarted
        reports.breaker(state="half_open", trips=4),
    )
    assert page.state("sutazai_consumer_state", host="a", agent="x") == ["starting"]
    assert page("sutazai_consumer_losses_total", host="a", agent="x") == 3
    assert page.state("sutazai_breaker_state", host="a", server="http://s") == ["half_open"]
    assert set(page.of("sutazai_breaker_state", "state")) == {"closed", "open", "half_open"}
    assert page("sutazai_breaker_trips_total", host="a", server="http://s") == 4


def test_a_server_that_did_not_answer_the_last_time_is_told_while_its_breaker_is_closed() -> None:
    suspected = reports.breaker().model_copy(update={"reason": "failing since 2026-11-23 07:00:00 UTC: timed out"})
    page = page_of(suspected, reports.breaker(server="http://well"))
    assert page.of("sutazai_server_failing", "server") == {"http://s": 1, "http://well": 0}
    assert page.state("sutazai_breaker_state", server="http://s") == ["closed"]


def test_what_waits_for_all_servers_of_a_host_counts_once_by_its_newest_report() -> None:
    clock = FakeClock()
    fleet = Fleet(90, clock)
    registry = CollectorRegistry()
    registry.register(FleetMetrics(fleet, Labels()))
    fleet.note(reports.pool(server="http://s", active=2, high=9))
    fleet.note(reports.pool(server="http://t", slots=4, high=9))
    clock.now = 1
    fleet.note(reports.pool(server="http://s", active=1, low=1))
    page = MetricsPage(generate_latest(registry).decode())
    assert page.of("sutazai_pool_slots", "server") == {"http://s": 2, "http://t": 4}
    assert page.of("sutazai_pool_active", "server") == {"http://s": 1, "http://t": 0}
    zeros = {"background": 0.0, "normal": 0.0, "critical": 0.0}
    assert page.of("sutazai_pool_waiting", "priority") == {"low": 1, "high": 0, **zeros}


def test_a_servers_tokens_are_counted_whatever_became_of_the_tasks_and_over_restarts_of_the_host() -> None:
    page = page_of(
        reports.pool(tokens=(10, 5)),
        reports.pool(tokens=(30, 6)),
        reports.pool(tokens=(2, 1)),  # its host has restarted
        reports.pool(server="http://t", tokens=(7, 0)),
    )
    assert page("sutazai_server_tokens_total", host="a", server="http://s", direction="in") == 32
    assert page("sutazai_server_tokens_total", host="a", server="http://s", direction="out") == 7
    assert page("sutazai_server_tokens_total", host="a", server="http://t", direction="in") == 7


@pytest.mark.parametrize("word", ["\ud800", "x" * 201])
def test_a_word_that_is_no_name_does_not_spoil_the_page(word: str) -> None:
    page = page_of(
        reports.host(word, version=word, held=2), reports.breaker(server=word, trips=1), reports.host("b", held=1)
    )
    assert page("sutazai_host_info", host="other", version="other") == 1
    assert page.of("sutazai_held", "host") == {"other": 2, "b": 1}
    assert page("sutazai_breaker_trips_total", server="other") == 1


def test_names_beyond_the_bound_become_other_with_the_sum_of_their_figures() -> None:
    labels = Labels(agents=BoundedNames(1), servers=BoundedNames(1))
    told = [reports.host(f"host-{number}") for number in range(HOSTS_MOST + 2)]
    page = page_of(
        *told,
        *(reports.agent(name, "host-0", losses=1) for name in "xyz"),
        *(reports.breaker("host-0", state="open", trips=1, server=server) for server in "stu"),
        labels=labels,
        seconds_ago=30,
    )
    assert len(page.of("sutazai_host_memory_bytes", "host")) == HOSTS_MOST + 1
    assert page("sutazai_host_memory_bytes", host="other") == 2_000_000
    assert page("sutazai_report_age_seconds", host="other") == 30
    assert page.of("sutazai_consumer_losses_total", "agent") == {"x": 1, "other": 2}
    assert page("sutazai_consumer_state", agent="other", state="consuming") == 2
    assert page.of("sutazai_breaker_trips_total", "server") == {"s": 1, "other": 2}
    assert page("sutazai_breaker_state", server="other", state="open") == 2
