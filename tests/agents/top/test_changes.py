from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from agents.top.alarms import BROKER_ALARM, LINK_LOST, Alarm, gone
from agents.top.changes import Changes
from agents.top.tone import Tone
from schemas import Report, TaskError, TaskResult, TaskStatus
from tests.support import reports


def lines(*told: Report | TaskResult, changes: Changes | None = None) -> list[str]:
    """Return the lines without their times."""
    compared = changes or Changes()
    found = [line for what in told for line in compared.of(what)]
    return [without_time(line) for line in (*found, *compared.of_agents())]


def without_time(line: str) -> str:
    return " ".join(line.split()[2:])


def moment(line: str) -> str:
    return line.partition("  ")[0]


def of_alarms(changes: Changes, alarms: Iterable[Alarm]) -> list[str]:
    return [without_time(line) for line in changes.of_alarms(alarms)]


def test_a_breaker_is_told_when_it_turns_and_where_it_is_open_already() -> None:
    opened = reports.breaker(state="open").model_copy(update={"old": "closed", "reason": "it is gone"})
    again = opened.model_copy(update={"old": None})
    closed = reports.breaker(state="closed").model_copy(update={"old": "open"})
    assert lines(reports.breaker(), opened, again, closed, reports.breaker()) == [
        "breaker http://s (a) closed -> open: it is gone",
        "breaker http://s (a) open -> closed",
    ]
    assert lines(again) == ["breaker http://s (a) closed -> open: it is gone"]
    assert len(lines(opened, opened)) == 1  # after a cut connection the last reports come twice


def test_a_consumer_is_told_when_it_pauses_and_not_each_time_that_its_host_is_full() -> None:
    paused = reports.agent(consumer="paused").model_copy(update={"reason": "operator"})
    told = [reports.agent(consumer=state) for state in ("consuming", "full", "consuming")]
    assert lines(*told, paused, paused, *told) == [
        "agent x (a) consuming -> paused: operator",
        "agent x (a) paused -> consuming",
    ]


def test_a_host_comes_and_goes_and_its_agents_do_not_say_the_same() -> None:
    host = reports.host("a", "x")
    stages = [host.model_copy(update={"state": state}) for state in ("running", "draining", "closing")]
    stopped = reports.agent(consumer="stopped")
    assert lines(host, reports.agent(), *stages, stopped, host) == [
        "host a has come: 0.1.0, agents: 1",
        "host a running -> draining",
        "host a draining -> closing: it is gone",
        "host a has come: 0.1.0, agents: 1",
    ]


def test_of_hosts_that_are_kept_no_more_nothing_is_remembered() -> None:
    changes = Changes()
    told = (reports.host("a", "x"), reports.agent(consumer="paused"), reports.breaker(state="open"))
    first = lines(*told, changes=changes)
    changes.keep({"a"})
    assert lines(*told, changes=changes) == []
    changes.keep({"b"})
    assert lines(*told, changes=changes) == first


def test_each_result_is_a_line_without_line_ends() -> None:
    error = TaskError(code="timeout", message="too\nslow")
    failed = TaskResult(task_id="t", agent="x", status=TaskStatus.FAILED, error=error, processing_time=1.25)
    done = TaskResult(task_id="u", status=TaskStatus.COMPLETED, model="m")
    assert lines(failed, done, reports.pool()) == [
        "result x t failed 1.2 s timeout: too slow",
        "result - u completed m 0.0 s",
    ]


def test_what_no_report_tells_is_said_when_it_begins_and_when_it_is_over() -> None:
    changes = Changes()
    silent = Alarm(Tone.BAD, "host silent: b", " has told nothing for 15s")
    longer = Alarm(Tone.BAD, "host silent: b", " has told nothing for 16s")
    reported = Alarm(Tone.BAD, "breaker open: s (a)", is_reported=True)
    assert of_alarms(changes, [silent, reported]) == ["alarm host silent: b has told nothing for 15s"]
    assert of_alarms(changes, [longer]) == []
    assert of_alarms(changes, []) == ["over host silent: b"]


def test_agents_that_pause_for_one_cause_are_one_line_with_their_number() -> None:
    changes = Changes()
    paused = [
        reports.agent(f"x{n}", host, consumer="paused").model_copy(update={"reason": "the model server is gone"})
        for host in "ab"
        for n in range(131 if host == "a" else 2)
    ]
    assert lines(*paused, changes=changes) == [
        "agent 131 agents (a) consuming -> paused: the model server is gone",
        "agent x0, x1 (b) consuming -> paused: the model server is gone",
    ]
    assert lines(*paused, changes=changes) == []


def test_good_news_is_no_alarm_and_is_told_once_in_the_place_of_the_end() -> None:
    changes = Changes()
    lost, back = Alarm(Tone.BAD, LINK_LOST, " 1s ago"), Alarm(Tone.WARN, "it is back", " after 40s", ends=LINK_LOST)
    assert of_alarms(changes, [lost]) == ["alarm connection to RabbitMQ lost 1s ago"]
    assert of_alarms(changes, [back]) == ["news it is back after 40s"]
    assert of_alarms(changes, [back]) == []
    assert of_alarms(changes, []) == []


def test_a_silent_host_that_is_forgotten_is_gone_and_not_over() -> None:
    changes = Changes()
    of_alarms(changes, [Alarm(Tone.BAD, "host silent: b")])
    assert of_alarms(changes, gone(["b"], 600)) == ["news host gone: b has told nothing for 10m00s and is forgotten"]
    assert of_alarms(changes, []) == []


@pytest.mark.parametrize("outage", [LINK_LOST, BROKER_ALARM])
def test_nothing_is_over_while_the_broker_is_away(outage: str) -> None:
    changes = Changes()
    waits, away = Alarm(Tone.BAD, "tasks wait"), Alarm(Tone.BAD, outage)
    of_alarms(changes, [waits])
    assert of_alarms(changes, [away]) == [f"alarm {outage}"]
    assert of_alarms(changes, [away]) == []
    assert of_alarms(changes, []) == ["over tasks wait", f"over {outage}"]


def test_lines_stand_in_the_order_of_their_times_however_old_a_report_is() -> None:
    late = reports.breaker(state="open").model_copy(update={"timestamp": datetime(2026, 1, 31, tzinfo=UTC)})
    first, second = (moment(next(Changes().of(report))) for report in (reports.host(), late))
    assert first <= second
