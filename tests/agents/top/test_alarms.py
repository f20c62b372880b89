from collections.abc import Sequence

from agents.fleet.fleet import Fleet
from agents.fleet.queues import AgentQueues, QueueFigures
from agents.top.agent_rows import agent_rows
from agents.top.alarms import Alarm, Link, not_shown, unserved, viewer_broken
from agents.top.link_watch import BACK_SECONDS, LinkWatch
from agents.top.speeds import Speeds
from agents.top.view import Totals, View, view_of
from bus.broker import LinkState
from schemas import BreakerReport, Report
from tests.support import reports
from tests.support.clock import FakeClock

WELL = Link(LinkState.CONNECTED)
OLD = "and tried again: all below is as it was then; does RabbitMQ run?"


def view(
    *told: Report,
    link: Link = WELL,
    silent: frozenset[str] = frozenset(),
    is_late: bool = True,
    faults: Sequence[Alarm] = (),
    looked_at: frozenset[str] = frozenset({"x", "y"}),
    consumers: int = 1,
) -> View:
    clock = FakeClock()
    fleet = Fleet(clock=clock)
    for report in told:
        fleet.note(report)
    figures = QueueFigures({"x": AgentQueues(ready=3, consumers=consumers, dead=2)}, unrouted=1)
    return view_of(
        fleet,
        figures,
        Speeds(1),
        link,
        silent,
        clock,
        looked_at=looked_at,
        silent_after=15,
        is_late=is_late,
        faults=faults,
    )


def alarms(*told: Report, link: Link = WELL, silent: frozenset[str] = frozenset()) -> list[str]:
    return [str(alarm) for alarm in view(*told, link=link, silent=silent).alarms]


def test_a_fleet_that_is_well_has_no_alarm() -> None:
    assert alarms(reports.host(), reports.agent(), reports.breaker(), reports.pool()) == []


def test_a_broken_server_a_lost_consumer_and_a_silent_host_are_told_before_what_is_less_bad() -> None:
    broken = reports.breaker(state="open").model_copy(update={"reason": "it is gone", "time_until_retry": 4.0})
    half = reports.breaker("b", state="half_open")
    blocked = reports.host("b").model_copy(update={"links": {"publishing": "blocked"}})
    told = (broken, half, reports.pool(), reports.pool("b"), reports.host("c"), blocked)
    lost = reports.agent("x", "b", consumer="lost")
    assert alarms(*told, lost, silent=frozenset("c")) == [
        "✗ breaker open: s (a): it is gone, next probe in 4.0s",
        "✗ host silent: c has told nothing for 0.0s: see whether it runs",
        "✗ consumer lost: x on b",
        "! breaker half open: s (b) is being probed",
        "! host b: publishing blocked",
    ]


def failing(host: str, at: str, fault: str, retry: float) -> BreakerReport:
    told = {"reason": f"failing since 2026-11-23 {at} UTC: {fault}", "time_until_retry": retry}
    return reports.breaker(host, state="open").model_copy(update=told)


def test_a_server_that_several_hosts_miss_is_one_alarm_which_begins_with_the_cause() -> None:
    pools = [reports.pool(host) for host in "abcde"]
    broken = [
        failing("a", "03:50:30", "it is gone", 9), failing("b", "03:50:32", "it is gone", 7),
        failing("c", "03:50:31", "it is slow", 8),
    ]  # fmt: skip
    half = [reports.breaker(host, state="half_open") for host in "de"]
    assert alarms(reports.host(), *pools, *broken, *half) == [
        "✗ breaker open: s (2 hosts): it is gone, next probe in 7.0s",
        "✗ breaker open: s (c): it is slow, next probe in 8.0s",
        "! breaker half open: s (2 hosts) is being probed",
    ]


def test_two_processes_of_one_name_are_told() -> None:
    assert alarms(reports.host("a", process="one"), reports.host("a", process="two")) == [
        "! 2 processes are called a: give each its own SUTAZAI_HOST_NAME"
    ]


def test_many_lost_consumers_of_a_host_are_one_alarm() -> None:
    lost = [reports.agent(f"x{n}", "b", consumer="lost") for n in range(4)]
    assert alarms(reports.host(), *lost) == ["✗ consumer lost: 4 agents on b"]


def test_the_viewers_own_connection_is_told_while_it_is_away_and_a_moment_after() -> None:
    clock = FakeClock()
    watch = LinkWatch(clock)
    told = []
    for now, state in (
        (1, LinkState.CONNECTED),
        (2, LinkState.CONNECTING),
        (5, LinkState.CLOSED),
        (6, LinkState.BLOCKED),
        (6 + BACK_SECONDS, LinkState.CONNECTED),
    ):
        clock.now = now
        told.append(alarms(reports.host(), link=watch.note(state)))
    assert told == [
        [],
        [f"✗ connection to RabbitMQ lost 0.0s ago, {OLD}"],
        [f"✗ connection to RabbitMQ lost 3.0s ago, {OLD}"],
        [
            "✗ RabbitMQ is in an alarm (memory or disk): nothing is published, results neither; free it",
            "! connection to RabbitMQ is back after 4.0s",
        ],
        [],
    ]


def test_the_viewers_own_faults_come_first() -> None:
    lost = Link(LinkState.CONNECTING)
    faults = [viewer_broken("top:queues", "KeyError: 'x'"), not_shown("AgentReport: ValueError: no")]
    assert [str(alarm) for alarm in view(reports.host(), link=lost, faults=faults).alarms] == [
        "✗ top:queues has ended: KeyError: 'x': all below may be old, so start it again",
        "! a message is not shown: AgentReport: ValueError: no",
        f"✗ connection to RabbitMQ lost 0.0s ago, {OLD}",
    ]


def test_where_nobody_answers_that_is_said_once_somebody_should_have() -> None:
    assert [alarm.what for alarm in view().alarms] == ["no host has answered"]
    assert view(is_late=False).alarms == ()


def test_a_fleet_of_which_only_an_agent_or_a_server_has_been_heard_answers() -> None:
    assert alarms(reports.agent()) == []
    assert alarms(reports.pool()) == []


def test_what_waits_is_not_known_before_the_queues_of_all_agents_have_been_looked_at() -> None:
    told = (reports.host(), reports.agent("x"), reports.agent("y"))
    partly = view(*told, looked_at=frozenset("x")).totals
    assert (partly.waiting, partly.dead) == (None, None)
    assert "wait -  done 0  fail 0  dead -" in str(partly)
    whole = view(*told).totals
    assert (whole.waiting, whole.dead) == (3, 2)


def test_while_nobody_could_answer_it_is_not_said_that_nobody_does() -> None:
    for link in (Link(LinkState.CONNECTING), Link(LinkState.BLOCKED), Link(LinkState.CONNECTED, was_away=40)):
        assert "no host has answered" not in [alarm.what for alarm in view(link=link).alarms]


def test_tasks_that_wait_for_an_agent_without_a_host_are_an_alarm_once_its_host_should_have_answered() -> None:
    found = view(reports.host(), reports.agent("y"), consumers=0)
    assert [str(alarm) for alarm in found.alarms] == [
        "✗ tasks wait and no host takes them: 3 for x: start one with `sutazai run`"
    ]
    assert [(row.name, row.state, row.ready) for row in found.agents] == [
        ("x", "no host", 3),
        ("y", "consuming", None),
    ]
    assert found.agents[0].details == "x: no host has it: start one with `sutazai run`"
    assert (found.totals.agents, found.totals.waiting) == (1, 3)
    assert view(reports.host(), consumers=0, is_late=False).alarms == ()
    assert len(view(reports.host(), consumers=1).agents) == 0


def test_dead_letters_of_an_agent_without_a_host_are_no_alarm() -> None:
    rows = agent_rows([], {"x": AgentQueues(ready=0, consumers=0, dead=1)}, ())
    assert ([row.state for row in rows], unserved(rows)) == (["no host"], [])


def test_hosts_that_are_silent_are_not_in_the_totals_but_what_they_have_done_is() -> None:
    busy = {"running": 2, "held": 3, "results": {"completed": 5, "failed": 1}}
    told = [
        report
        for host in "ab"
        for report in (reports.host(host), reports.agent("x", host).model_copy(update=busy), reports.pool(host))
    ]
    shown = view(*told, reports.agent("y", "b"), silent=frozenset("b"))
    totals = shown.totals
    assert (totals.hosts, totals.agents, totals.running, totals.held, totals.done) == (1, 1, 2, 3, 10)
    assert [(row.state, row.slots) for row in shown.servers] == [("unknown", "0/2"), ("silent", "-")]


def test_the_breaker_of_a_silent_host_is_no_alarm_of_its_own() -> None:
    told = (reports.host("a"), reports.pool("a"), reports.breaker("a", state="open"))
    assert [alarm.what for alarm in view(*told, silent=frozenset("a")).alarms] == ["host silent: a"]


def test_all_figures_fit_into_80_columns_of_a_large_fleet() -> None:
    large = Totals(12, 131, 240, 9999, 480, 99_999, 9999, 999, 99, 123.4)
    assert large.within(200) == str(large)
    assert large.within(92) == str(large).replace("  ", " ")
    short = "h 12 a 131 run 240 wait 9999 done 99999 fail 9999 dead 999 123.4 t/s unr 99"
    assert large.within(78) == short
    assert len(short) <= 78


def test_the_totals_are_those_of_reports_and_queues() -> None:
    busy = reports.agent("x").model_copy(
        update={"running": 2, "held": 3, "results": {"completed": 5, "failed": 1, "expired": 2}}
    )
    totals = view(reports.host(), busy, reports.agent("y")).totals
    assert str(totals) == "hosts 1  agents 2  run 2  wait 3  done 5  fail 1  dead 2  0.0 tok/s  unrouted 1"
