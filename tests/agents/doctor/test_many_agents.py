"""What the doctor says of a fleet of many agents: the names that matter come first, and the remedy fits all of them."""

from collections.abc import Mapping

import pytest

from agents.core.settings import load_settings
from agents.doctor.checks import CHECKS
from agents.doctor.facts import BrokerFacts, Facts, ManagementFacts
from agents.doctor.finding import Finding
from bus.broker import QueueInfo
from bus.topology import Topology
from schemas import AgentReport

TOPOLOGY = Topology()


def paused_at_night(name: str) -> AgentReport:
    """A report on an agent that takes nothing."""
    return AgentReport(host="h1", agent=name, consumer="paused", reason="night", prefetch=1, held=0, health={})


def of_many(waiting: Mapping[str, int], *reports: AgentReport, management: ManagementFacts | None) -> list[Finding]:
    """What is found of the consumers of agents of which none is consumed."""
    queues = {
        TOPOLOGY.task_queue(name): QueueInfo(TOPOLOGY.task_queue(name), count, 0) for name, count in waiting.items()
    }
    broker = BrokerFacts("RabbitMQ", agents=[*waiting], queues=queues, management=management, reports=reports)
    return list(CHECKS["consumers"](Facts(load_settings(None), broker, (), ())))


@pytest.mark.parametrize("management", [None, ManagementFacts()])
def test_a_pause_seems_possible_only_where_a_host_may_be_there(management: ManagementFacts | None) -> None:
    (finding,) = of_many({"a": 1}, management=management)
    assert ("if they run" in finding.remedy) is (management is None)


def test_an_agent_that_nobody_needs_any_more_can_be_retired() -> None:
    (idle,) = of_many({"a": 0}, management=None)
    (waiting,) = of_many({"a": 1}, management=None)
    assert ("retired" in idle.remedy, "retired" in waiting.remedy) == (True, False)


def test_of_many_queues_that_nobody_consumes_those_with_most_tasks_are_named() -> None:
    waiting = {"a": 0, "b": 0, "c": 0, "d": 0, "e": 2, "f": 7}
    (alone,) = of_many({name: count + 1 for name, count in waiting.items()}, management=None)
    assert alone.what.startswith("nobody consumes sutazai.tasks.f (8 wait), sutazai.tasks.e (3 wait), sutazai.tasks.a")
    reports = [paused_at_night(name) for name in waiting]
    (paused,) = of_many(waiting, *reports, management=None)
    assert paused.what.startswith("paused: sutazai.tasks.f (7 wait) on h1 (night), sutazai.tasks.e (2 wait)")
    assert paused.what.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("count", "command"), [(1, "list --agent x0`"), (2, "list --agent x0 --agent x1`"), (5, "list`")]
)
def test_the_dead_letters_of_all_agents_that_have_some_are_shown_by_the_command_that_is_named(
    count: int, command: str
) -> None:
    agents = [f"x{n}" for n in range(count)]
    queues = {TOPOLOGY.dead_queue(name): QueueInfo(TOPOLOGY.dead_queue(name), 1, 0) for name in agents}
    broker = BrokerFacts("RabbitMQ", agents=agents, queues=queues)
    (finding,) = CHECKS["dead-letters"](Facts(load_settings(None), broker, (), ()))
    assert f"`sutazai dlq {command} says why" in finding.remedy


def test_processes_that_share_a_name_are_told() -> None:
    ears = [f"sutazai.control.to.{mark}" for mark in ("vm-1-aaaa", "vm-1-bbbb", "vm-1-bbbb", "vm-2-aaaa", "vm-22-bbbb")]
    rows = [{"queue": queue} for queue in (*ears, "sutazai.tasks.vm-2", "sutazai.arrivals.to.vm-2-bbbb")]
    broker = BrokerFacts("RabbitMQ", management=ManagementFacts(consumers=rows))
    (finding,) = CHECKS["names"](Facts(load_settings(None), broker, (), ()))
    assert finding.what == "processes share a name: vm-1 (2 processes)"
    assert "SUTAZAI_HOST_NAME" in finding.remedy
