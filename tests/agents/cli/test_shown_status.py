import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from agents.cli.last_words import LastWords
from agents.cli.shown_status import ALIKE, Seen, is_worth_a_line, json_of, status_of
from agents.fleet.fleet import Fleet
from agents.fleet.queues import AgentQueues, QueueFigures
from schemas import AgentReport, BreakerReport, HandlingSeconds, HostReport, PauseAgents, PoolReport, Report

HOST = HostReport(
    host="vm-1", version="0.1.0", agents=["a", "b"], state="running", held=3, max_held=8, uptime=1.0,
    memory_bytes=50 << 20, cpu_percent=12.5,
)  # fmt: skip
POOL = PoolReport(
    host="vm-1", server="http://one", slots=2, active=1, waiting=4, waiting_by_priority={}, loaded_lane=None,
    tokens_per_second=8.25, stats={},
)  # fmt: skip
BREAKER = BreakerReport(
    host="vm-1", server="http://one", name="one", state="open", consecutive_failures=3, trip_count=1,
    time_until_retry=5.0, reason="failing since yesterday: it is gone",
)  # fmt: skip

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PAUSES = [
    PauseAgents(agent="by-name", timestamp=NOON),
    PauseAgents(host="vm-1", timestamp=NOON + timedelta(hours=1)),
    PauseAgents(agent="by-name", host="vm-1", timestamp=NOON + timedelta(hours=2)),
]


def agent(name: str, **fields: object) -> AgentReport:
    """Return a report on an agent that consumes and holds nothing, but for what is given."""
    told = {"host": "vm-1", "agent": name, "consumer": "consuming", "prefetch": 1, "held": 0, "health": {}}
    return AgentReport.model_validate(told | fields)


def fleet_of(*reports: Report) -> Fleet:
    fleet = Fleet()
    for report in reports:
        fleet.note(report)
    return fleet


def shown(fleet: Fleet, queues: dict[str, AgentQueues] | None = None, unrouted: int | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    for part in status_of(Seen(fleet, QueueFigures(queues or {}, unrouted), LastWords({"gone": "vm-9"}, PAUSES))):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_hosts_servers_busy_agents_and_queues_are_told() -> None:
    busy = agent(
        "b", held=3, running=1, waiting=2, results={"completed": 9, "failed": 1, "expired": 1, "cancelled": 3},
        seconds=HandlingSeconds(p50=1.0, p95=2.5),
    )  # fmt: skip
    fleet = fleet_of(HOST, BREAKER, POOL, agent("a"), busy, agent("c", consumer="lost"))
    queues = {"a": AgentQueues(0, 1, 0), "b": AgentQueues(7, 1, 0), "c": AgentQueues(0, 0, 0)}
    assert shown(fleet, queues) == [
        "HOSTS state agents held MiB CPU % version",
        "vm-1 running 2 3/8 50 12.5 0.1.0",
        "MODEL SERVERS host breaker slots waiting tokens/s",
        "http://one vm-1 open 1/2 4 8.2",
        "http://one (vm-1): failing since yesterday: it is gone",
        "AGENTS host state running waiting done failed p95 s",
        "b vm-1 consuming 1 2 9 1 2.5",
        "c vm-1 lost 0 0 0 0 -",
        "b (vm-1): also cancelled 3, expired 1",
        "1 other agent takes tasks and holds none",
        "QUEUES ready consumers dead letters",
        "b 7 1 0",
    ]


def test_what_waits_for_agents_of_no_host_comes_first_and_the_most_tasks_before_all() -> None:
    queues = {
        "a": AgentQueues(4, 0, 0),  # its host has shut its consumers
        "elsewhere": AgentQueues(2, 1, 0),  # a host that has not answered
        "empty": AgentQueues(0, 0, 0),
        "foreign": AgentQueues(1, 0, 0),
        "gone": AgentQueues(5, 0, 3),
    }
    lines = shown(fleet_of(HOST, agent("a")), queues)
    assert lines[:3] == ["NO HOST FOR ready dead letters ran last on", "gone 5 3 vm-9", "foreign 1 0 -"]
    assert lines[-3:] == ["QUEUES ready consumers dead letters", "a 4 0 0", "elsewhere 2 1 0"]
    told = json.loads(json_of(Seen(fleet_of(HOST), QueueFigures(queues))))
    assert [row["agent"] for row in told["queues"] if row["unserved"]] == ["foreign", "gone"]
    assert shown(Fleet(), queues)[:2] == lines[:2]
    assert shown(Fleet()) == []


def test_what_has_failed_is_told_of_agents_that_share_a_line_with_dead_letters_and_tasks_for_unknown_agents() -> None:
    reports = [agent("a", results={"failed": 2, "completed": 1}), agent("b", results={"failed": 1})]
    queues = {"a": AgentQueues(0, 1, 2), "b": AgentQueues(0, 1, 0)}
    assert shown(fleet_of(HOST, *reports), queues, unrouted=1)[2:] == [
        "MODEL SERVERS host breaker slots waiting tokens/s",
        "2 agents take tasks and hold none; 3 tasks failed there since the start",
        "QUEUES ready consumers dead letters",
        "a 0 1 2",
        "1 task for unknown agents: see `sutazai dlq list --reason unrouted`",
    ]


def test_a_pause_by_hand_is_told_with_the_moment_when_it_was_last_said() -> None:
    by_name, elsewhere = (agent(name, consumer="paused", reason="operator: x") for name in ("by-name", "elsewhere"))
    assert "by-name (vm-1): operator: x (said 2026-01-31 14:00:00Z)" in shown(fleet_of(HOST, by_name))
    assert "elsewhere (vm-1): operator: x (said 2026-01-31 13:00:00Z)" in shown(fleet_of(HOST, elsewhere))
    away = elsewhere.model_copy(update={"host": "vm-2"})
    assert "elsewhere (vm-2): operator: x" in shown(fleet_of(HOST, away))  # as without a control log
    outage = by_name.model_copy(update={"reason": "an outage"})
    assert "by-name (vm-1): an outage" in shown(fleet_of(HOST, outage))
    more = [by_name, *(agent(f"p{n}", consumer="paused", reason="operator: x") for n in range(ALIKE))]
    folded = f"{ALIKE + 1} agents (vm-1) that hold nothing are paused: operator: x (said 2026-01-31 13:00:00Z)"
    assert folded in " ".join(shown(fleet_of(HOST, *more)))


def test_two_processes_of_one_name_are_told() -> None:
    twin = HOST.model_copy(update={"process": "two"})
    lines = shown(fleet_of(HOST, twin))
    assert "2 processes are called vm-1: give each its own SUTAZAI_HOST_NAME" in lines
    assert not [line for line in shown(fleet_of(HOST, HOST)) if "are called" in line]


def test_what_is_not_known_is_a_dash_and_a_quiet_fleet_has_no_list_of_agents() -> None:
    pool = POOL.model_copy(update={"tokens_per_second": None, "loaded_lanes": ["x:latest"]})
    assert shown(fleet_of(HOST.model_copy(update={"max_held": None}), pool, agent("a"), agent("b")))[1:] == [
        "vm-1 running 2 3 50 12.5 0.1.0",
        "MODEL SERVERS host breaker slots waiting tokens/s",
        "http://one vm-1 - 1/2 4 -",
        "http://one (vm-1) has loaded: x:latest",
        "2 agents take tasks and hold none",
    ]


def test_many_agents_that_do_nothing_for_one_reason_share_a_line() -> None:
    paused = [agent(f"p{n}", consumer="paused", reason="an outage") for n in range(ALIKE + 1)]
    stopped = [agent(f"s{n}", consumer="stopped") for n in range(ALIKE + 1)]
    busy = agent("b", consumer="paused", reason="an outage", held=1, running=1)
    assert shown(fleet_of(HOST, *paused, *stopped, busy))[3:] == [
        "AGENTS host state running waiting done failed p95 s",
        "b vm-1 paused 1 0 0 0 -",
        "b (vm-1): an outage",
        "6 agents (vm-1) that hold nothing are paused: an outage",
        "6 agents (vm-1) that hold nothing are stopped",
    ]
    assert len(shown(fleet_of(HOST, *paused[1:]))) == 3 + 1 + 2 * ALIKE


def test_agents_are_counted_once_for_all_hosts_and_not_where_a_row_names_them() -> None:
    idle = [agent(name, host=host) for name in ("a", "b", "c") for host in ("vm-1", "vm-2")]
    assert shown(fleet_of(HOST, *idle))[-1] == "3 agents take tasks and hold none"
    busy = agent("a", held=1, running=1)
    assert shown(fleet_of(HOST, *idle, busy))[-1] == "2 other agents take tasks and hold none"


def test_an_outage_is_told_once_for_each_server_and_its_agents_say_it_in_short() -> None:
    fault = "no model server answers at http://one (refused): start Ollama there, or set OLLAMA_URL"
    since = {"vm-1": "failing since 2026-11-23 03:32:10 UTC", "vm-2": "failing since 2026-11-23 03:32:09 UTC"}
    reports: list[Report] = [HOST]
    for host, moment in since.items():
        reports += [
            BREAKER.model_copy(update={"host": host, "reason": f"{moment}: {fault}"}),
            POOL.model_copy(update={"host": host}),
            agent("a", host=host, consumer="paused", reason=f"the model server does not answer, {moment}: {fault}"),
        ]
    lines = shown(fleet_of(*reports))
    assert " ".join(lines).count("no model server answers") == 1
    assert f"http://one (vm-1, vm-2): {since['vm-2']}: {fault}" in " ".join(lines)
    assert "a (vm-1): the model server does not answer" in lines
    assert "a (vm-2): the model server does not answer" in lines


@pytest.mark.parametrize(("state", "is_told"), [("closed", True), ("open", False), ("half_open", False)])
def test_what_a_server_has_loaded_is_told_once_for_its_hosts_while_it_answers(state: str, *, is_told: bool) -> None:
    pools = [POOL.model_copy(update={"host": host, "loaded_lanes": ["x:latest"]}) for host in ("vm-1", "vm-2")]
    breakers = [BREAKER.model_copy(update={"host": host, "state": state, "reason": None}) for host in ("vm-1", "vm-2")]
    lines = shown(fleet_of(HOST, *pools, *breakers))
    assert [line for line in lines if "has loaded" in line] == [
        "http://one (vm-1, vm-2) has loaded: x:latest"
    ] * is_told


def test_a_sentence_that_wraps_keeps_its_indent() -> None:
    console = Console(file=io.StringIO(), width=80)
    paused = agent("a", consumer="paused", reason="operator: " + "word " * 40)
    for part in status_of(Seen(fleet_of(HOST, paused))):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    wrapped = [line for line in console.file.getvalue().splitlines() if "word" in line]
    assert len(wrapped) == 3
    assert all(line.startswith("  ") for line in wrapped)


@pytest.mark.parametrize(
    ("report", "worth"),
    [
        (agent("a"), False),
        (agent("a", consumer="full"), False),
        (agent("a", held=1), True),
        (agent("a", consumer="paused"), True),
        (agent("a", consumer="lost"), True),
    ],
)
def test_agents_that_hold_tasks_or_take_none_are_worth_a_line(report: AgentReport, *, worth: bool) -> None:
    assert is_worth_a_line(report) is worth


def test_a_long_name_is_cut_and_the_figures_are_not() -> None:
    report = agent("a" * 90, held=1, running=1)
    assert shown(fleet_of(HOST, report))[4].endswith("a… vm-1 consuming 1 0 0 0 -")


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        (("vm-1", "ip-10-0-12-117.x"), ["vm-1", "ip-10-0-12-117.x"]),
        (("worker-01.example.com", "worker-02.example.com"), ["worker-01", "worker-02"]),
        (("sutazai-7d9f8b6c5-aaaaa", "sutazai-7d9f8b6c5-bbbbb"), ["sutazai…c5-aaaaa", "sutazai…c5-bbbbb"]),
    ],
)
def test_the_host_tells_rows_of_one_agent_apart_however_long_both_names_are(
    hosts: tuple[str, str], told: list[str]
) -> None:
    rows = shown(fleet_of(HOST, *(agent("hardware-resource-optimizer", host=host, held=1) for host in hosts)))[4:6]
    assert [row.split()[1] for row in rows] == told
    assert all(row.startswith("hardware-r") for row in rows)
