import io

import pytest
from rich.console import Console

from agents.cli.shown_status import ALIKE, is_worth_a_line, status_of
from agents.fleet.fleet import Fleet
from bus.broker import QueueInfo
from schemas import AgentReport, BreakerReport, HandlingSeconds, HostReport, PoolReport, Report

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


def agent(name: str, **fields: object) -> AgentReport:
    """Return a report on an agent that consumes and holds nothing, but for what is given."""
    told = {"host": "vm-1", "agent": name, "consumer": "consuming", "prefetch": 1, "held": 0, "health": {}}
    return AgentReport.model_validate(told | fields)


def fleet_of(*reports: Report) -> Fleet:
    fleet = Fleet()
    for report in reports:
        fleet.note(report)
    return fleet


def shown(fleet: Fleet, **queues: QueueInfo) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    for part in status_of(fleet, queues):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_hosts_servers_busy_agents_and_queues_are_told() -> None:
    busy = agent(
        "b", held=3, running=1, waiting=2, results={"completed": 9, "failed": 1, "expired": 1, "cancelled": 3},
        seconds=HandlingSeconds(p50=1.0, p95=2.5),
    )  # fmt: skip
    fleet = fleet_of(HOST, BREAKER, POOL, agent("a"), busy, agent("c", consumer="lost"))
    assert shown(fleet, a=QueueInfo("a", 0, 1), b=QueueInfo("b", 7, 1), c=QueueInfo("c", 0, 0)) == [
        "HOSTS state agents held MiB CPU % version",
        "vm-1 running 2 3/8 50 12.5 0.1.0",
        "MODEL SERVERS breaker slots waiting tokens/s",
        "http://one (vm-1) open 1/2 4 8.2",
        "http://one (vm-1): failing since yesterday: it is gone",
        "AGENTS state running waiting done failed p95 s",
        "b (vm-1) consuming 1 2 9 1 2.5",
        "c (vm-1) lost 0 0 0 0 -",
        "b (vm-1): also cancelled 3, expired 1",
        "1 other agent takes tasks and holds none",
        "QUEUES ready consumers",
        "b 7 1",
    ]


def test_two_processes_of_one_name_are_told() -> None:
    twin = HOST.model_copy(update={"process": "two"})
    lines = shown(fleet_of(HOST, twin))
    assert "2 processes are called vm-1: give each its own SUTAZAI_HOST_NAME" in lines
    assert not [line for line in shown(fleet_of(HOST, HOST)) if "are called" in line]


def test_what_is_not_known_is_a_dash_and_a_quiet_fleet_has_no_list_of_agents() -> None:
    pool = POOL.model_copy(update={"tokens_per_second": None, "loaded_lanes": ["x:latest"]})
    assert shown(fleet_of(HOST.model_copy(update={"max_held": None}), pool, agent("a"), agent("b")))[1:] == [
        "vm-1 running 2 3 50 12.5 0.1.0",
        "MODEL SERVERS breaker slots waiting tokens/s",
        "http://one (vm-1) - 1/2 4 -",
        "http://one (vm-1) has loaded: x:latest",
        "2 other agents take tasks and hold none",
    ]


def test_many_agents_that_do_nothing_for_one_reason_share_a_line() -> None:
    paused = [agent(f"p{n}", consumer="paused", reason="an outage") for n in range(ALIKE + 1)]
    stopped = [agent(f"s{n}", consumer="stopped") for n in range(ALIKE + 1)]
    busy = agent("b", consumer="paused", reason="an outage", held=1, running=1)
    assert shown(fleet_of(HOST, *paused, *stopped, busy))[3:] == [
        "AGENTS state running waiting done failed p95 s",
        "b (vm-1) paused 1 0 0 0 -",
        "b (vm-1): an outage",
        "6 agents (vm-1) that hold nothing are paused: an outage",
        "6 agents (vm-1) that hold nothing are stopped",
        "0 other agents take tasks and hold none",
    ]
    assert len(shown(fleet_of(HOST, *paused[1:]))) == 3 + 1 + 2 * ALIKE + 1


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
    assert shown(fleet_of(HOST, report))[4].endswith("a… consuming 1 0 0 0 -")
