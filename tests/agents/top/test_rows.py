from datetime import UTC, datetime

import pytest

from agents.fleet.fleet import Fleet
from agents.fleet.queues import AgentQueues
from agents.top.agent_rows import AgentRow, agent_rows
from agents.top.host_rows import host_rows
from agents.top.order import Order, Sort, filtered
from agents.top.result_rows import ResultRow
from agents.top.server_rows import server_rows
from agents.top.speeds import Speeds
from schemas import AgentReport, HandlingSeconds, TaskError, TaskResult, TaskStatus, Usage
from tests.support import reports
from tests.support.clock import FakeClock


def agent(name: str, host: str = "a", consumer: str = "consuming", **fields: object) -> AgentReport:
    return reports.agent(name, host, consumer=consumer).model_copy(update=fields)


def rows_of(
    *told: AgentReport, silent: frozenset[str] = frozenset(), queues: AgentQueues | None = None
) -> list[AgentRow]:
    """Return the rows; `queues` are those of the first agent."""
    return agent_rows(told, {} if queues is None else {told[0].agent: queues}, silent)


def test_an_agent_on_two_hosts_is_one_row_of_sums() -> None:
    results = {"completed": 4, "failed": 1, "expired": 3}
    seconds = [HandlingSeconds(p50=1, p95=p95) for p95 in (2.5, 4.5)]
    told = [
        agent("x", host, held=3, running=1, retries=2, results=results, seconds=span, model="m")
        for host, span in zip("ab", seconds, strict=True)
    ]
    row = rows_of(*told, queues=AgentQueues(ready=7, consumers=2, dead=1))[0]
    assert (row.state, row.running, row.held, row.done, row.failed) == ("consuming", 2, 6, 8, 2)
    assert (row.retries, row.p95, row.models, row.ready, row.dead) == (4, 4.5, "m", 7, 1)
    assert row.details == "x: consuming on a; consuming on b; model m; also expired 6"


def test_what_is_not_known_is_none() -> None:
    row = rows_of(agent("x"))[0]
    assert (row.ready, row.dead, row.p95, row.models) == (None, None, None, "")


@pytest.mark.parametrize(
    ("states", "silent", "shown"),
    [
        (("paused", "paused"), "", "paused"),
        (("paused", "consuming"), "", "mixed"),
        (("full", "consuming"), "", "consuming"),
        (("full", "paused"), "", "mixed"),
        (("consuming", "paused"), "b", "consuming"),
        (("consuming", "lost"), "ab", "silent"),
    ],
)
def test_states_that_differ_over_hosts_are_mixed_and_a_silent_host_is_not_asked(
    states: tuple[str, str], silent: str, shown: str
) -> None:
    told = [agent("x", host, state) for host, state in zip("ab", states, strict=True)]
    assert rows_of(*told, silent=frozenset(silent))[0].state == shown


def test_the_details_of_an_agent_say_where_it_does_what_and_why() -> None:
    moment = datetime(2026, 1, 31, 18, tzinfo=UTC)
    paused = agent("x", "b", "paused", reason="operator: tonight", last_delivery=moment)
    row = rows_of(agent("x"), paused)[0]
    assert row.details == ("x: consuming on a; paused on b (operator: tonight); last task 2026-01-31 18:00:00Z")
    assert row.is_paused
    assert not rows_of(agent("x", reason="failing"))[0].is_paused


def test_busy_agents_come_first_and_equal_ones_by_name() -> None:
    rows = rows_of(
        agent("b-waits"), agent("idle"), agent("runs", running=1), agent("a-holds", held=1), agent("also-idle"),
        queues=AgentQueues(5, 1, 0),
    )  # fmt: skip
    assert [row.name for row in Order().sorted(rows)] == ["runs", "b-waits", "a-holds", "also-idle", "idle"]
    turned = Order().turned().sorted(rows)
    assert [row.name for row in turned] == ["also-idle", "idle", "a-holds", "b-waits", "runs"]


def test_what_a_silent_host_had_in_hand_does_not_count_and_its_agents_stand_below_those_that_live() -> None:
    told = [agent("a-dead", "b", running=1, held=1), agent("lives"), agent("on-both", running=1, held=2)]
    rows = rows_of(*told, agent("on-both", "b", running=4, held=5), silent=frozenset("b"))
    assert [(row.name, row.running, row.held) for row in Order().sorted(rows)] == [
        ("on-both", 1, 2),
        ("lives", 0, 0),
        ("a-dead", 0, 0),
    ]


def test_a_queue_that_is_empty_or_consumed_makes_no_row_of_an_agent_without_reports() -> None:
    queues = {
        "waits": AgentQueues(1, 0, 0),
        "letters": AgentQueues(0, 0, 1),
        "empty": AgentQueues(0, 0, 0),
        "served": AgentQueues(1, 1, 1),
    }
    assert [row.name for row in agent_rows([], queues, ())] == ["letters", "waits"]


@pytest.mark.parametrize("by", list(Sort))
def test_every_order_shows_every_agent_and_comes_round_again(by: Sort) -> None:
    rows = rows_of(agent("x"), agent("y", consumer="lost", running=1), agent("z", results={"failed": 1}))
    assert sorted(row.name for row in Order(by).sorted(rows)) == ["x", "y", "z"]
    order = Order(by)
    for _ in Sort:
        order = order.next()
    assert order == Order(by)
    assert (str(order), str(order.turned())) == (by, f"{by}, reversed")


def test_a_filter_wants_all_of_its_words_in_any_case() -> None:
    rows = rows_of(agent("code-reviewer", model="Qwen"), agent("code-writer"), agent("tester", consumer="paused"))
    assert [row.name for row in filtered(rows, "CODE qwen")] == ["code-reviewer"]
    assert [row.name for row in filtered(rows, "pau")] == ["tester"]
    assert len(filtered(rows, " ")) == 3


def test_a_server_tells_its_breaker_and_how_long_it_is_to_the_next_probe() -> None:
    clock = FakeClock()
    fleet, speeds = Fleet(clock=clock), Speeds(1)
    fleet.note(reports.breaker(state="open").model_copy(update={"time_until_retry": 8.0, "reason": "it is gone"}))
    lanes = {"loaded_lanes": ["m"], "waiting_by_lane": {"m": 2, "": 1}, "pulls": {"n": 40}}
    fleet.note(reports.pool(active=1).model_copy(update=lanes))
    fleet.note(reports.pool("b"))
    clock.now = 5
    broken, unknown = server_rows(fleet, speeds, clock)
    assert (broken.name, broken.state, broken.probe_in, broken.slots) == ("s (a)", "open", 3.0, "1/2")
    assert broken.details == (
        "s (a): it is gone; next probe in 3.0s; loaded: m; waiting: 2 for m, 1 for any model; pulling: n 40 %"
    )
    assert (unknown.state, unknown.probe_in, unknown.details) == ("unknown", None, "s (b): nothing loaded")
    clock.now = 50
    assert server_rows(fleet, speeds, clock)[0].probe_in == 0.0


def test_a_host_tells_its_links_in_one_word_if_they_are_well() -> None:
    well = reports.host("a").model_copy(update={"links": {"consuming": "connected", "publishing": "connected"}})
    blocked = reports.host("b", held=2).model_copy(
        update={"max_held": 8, "links": {"consuming": "connected", "publishing": "blocked"}}
    )
    rows = host_rows([blocked, well, reports.host("c")], {"a": 2.0, "c": 60.0}, {"c"})
    assert [row.links for row in rows] == ["connected", "publishing blocked", "-"]
    assert host_rows([well], {}, {"a"})[0].links == "-"
    assert [row.held for row in rows] == ["0", "2/8", "0"]
    assert [row.state for row in rows] == ["running", "running", "silent"]
    assert [row.uptime for row in rows] == [3.0, 1.0, 1.0]
    assert "model slots 0" in rows[0].details


def test_a_result_tells_the_first_line_of_its_error_or_of_its_answer() -> None:
    error = TaskError(code="timeout", message="too slow\nfor us")
    failed = ResultRow(TaskResult(task_id="t", status=TaskStatus.FAILED, error=error, agent="x", model="m"))
    assert (failed.told, failed.error) == ("timeout: too slow", "timeout: too slow\nfor us")
    assert failed.details == "t  m  timeout: too slow"
    usage = Usage(tokens_out=9)
    done = ResultRow(TaskResult(task_id="u", status=TaskStatus.COMPLETED, result={"response": "\nyes\n"}, usage=usage))
    assert (done.agent, done.told, done.tokens, done.error) == ("-", "yes", 9, "")
    assert done.details == "u  9 tokens  yes"
    old = ResultRow(TaskResult(task_id="v", status=TaskStatus.FAILED, error="went wrong", result=""))
    assert (old.told, old.tokens) == ("went wrong", None)
    assert "an empty answer" in ResultRow(TaskResult(task_id="w", status=TaskStatus.COMPLETED, result="")).details
