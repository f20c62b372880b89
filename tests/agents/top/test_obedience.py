import asyncio
from typing import Any

import pytest

from agents.top.obedience import Outcome, carried_out
from bus.client import Client
from bus.memory import MemoryBroker
from bus.message import Message
from bus.topology import Topology
from schemas import AgentReport, PauseAgents, ResumeAgents
from tests.support import reports
from tests.support.agent_world import Asker, agent_world
from tests.support.watched_fleet import announce


async def test_the_hosts_that_obey_are_told_and_those_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.top.obedience.OBEYING_SECONDS", 2.0)
    async with agent_world(Asker(name="asker"), health_check_interval=600) as world:
        client = world.client
        paused = await carried_out(client, PauseAgents(agent="asker"), "asker", {"host-1"})
        resumed = await carried_out(client, ResumeAgents(agent="asker"), "asker", {"host-1", "stuck"})
    assert str(paused) == "paused: asker on host-1"
    assert str(resumed) == (
        "resumed: asker on host-1; not resumed within 2 s: asker on stuck; it obeys once it goes on"
    )


async def test_where_no_host_has_the_agent_nothing_is_waited_for() -> None:
    async with MemoryBroker("top-no-host") as broker, asyncio.timeout(5):
        await broker.declare(Topology().shared())
        outcome = await carried_out(Client(broker), PauseAgents(agent="other"), "other", ())
    assert outcome == Outcome("other", "paused", frozenset(), frozenset())
    assert str(outcome) == "no host of other runs: nothing is paused"


class StubbornFleet(MemoryBroker):
    """Whatever its only host is told, it says the same of its agent."""

    said: AgentReport

    async def publish(self, exchange: str, key: str, message: Message, **options: Any) -> None:
        """Publish, and have the host answer."""
        await super().publish(exchange, key, message, **options)
        announce(Client(self), self.said)


@pytest.mark.parametrize(
    ("order", "consumer", "reason"),
    [
        (ResumeAgents(agent="x"), "paused", "operator: tonight"),
        (PauseAgents(agent="x"), "paused", "the model server is gone"),
        (PauseAgents(agent="x"), "consuming", "operator: tonight"),
    ],
)
async def test_a_host_that_says_that_it_does_something_else_has_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, order: PauseAgents | ResumeAgents, consumer: str, reason: str
) -> None:
    monkeypatch.setattr("agents.top.obedience.OBEYING_SECONDS", 0.2)
    async with StubbornFleet("top-stubborn") as broker:
        await broker.declare(Topology().shared())
        broker.said = reports.agent("x", consumer=consumer).model_copy(update={"reason": reason})
        outcome = await carried_out(Client(broker), order, "x", {"a"})
    assert outcome == Outcome("x", outcome.done, obeyed=frozenset(), silent=frozenset({"a"}))
