"""Agents in `top` that the control log names, whose hosts were down before."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from agents.fleet.known_agents import AGAIN_SECONDS
from agents.top.watch import PATIENCE_SECONDS, Watch
from bus.client import Client
from bus.codec import encode_control
from bus.memory import MemoryBroker
from bus.message import Message
from bus.routing_keys import EVERYBODY
from schemas import Hello
from tests.support import reports
from tests.support.bus_world import AGENT, memory_world
from tests.support.clock import FakeClock
from tests.support.waiting import wait_until
from tests.support.watched_fleet import announce, until, whats


async def test_tasks_that_wait_for_an_agent_whose_host_was_down_before_are_seen() -> None:
    async with memory_world("watch-unserved") as world:
        await world.client.submit(AGENT, "x")
        for plan in world.client.topology.logs():
            await world.broker.declare(plan)
        hello = encode_control(Hello(host="down", agents=(AGENT, "never-started")))
        await world.broker.publish(world.client.topology.control, EVERYBODY, hello, mandatory=False)
        clock = FakeClock()
        async with Watch(world.client, interval=600, clock=clock) as watch:
            view = await until(watch, lambda view: view.agents)
            assert [(row.name, row.state, row.ready) for row in view.agents] == [(AGENT, "no host", 1)]
            clock.now = PATIENCE_SECONDS + 0.1
            assert whats(watch.view()) == ["tasks wait and no host takes them", "no host has answered"]


class SilentLogBroker(MemoryBroker):
    """Its control log does not answer."""

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Say nothing."""
        await asyncio.Event().wait()
        yield Message(f"{name} {since}".encode())


async def test_a_control_log_that_does_not_answer_keeps_nothing_back_and_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.fleet.known_agents.SILENT_SECONDS", 0.01)
    with capture_logs() as logged:
        async with (
            SilentLogBroker("watch-silent-log") as broker,
            Watch(Client(broker), interval=600, clock=FakeClock()) as watch,
        ):
            announce(watch.client, reports.host("a", "x"), reports.agent("x"))
            await until(watch, lambda view: view.agents)
            await wait_until(lambda: logged, what="the warning")
            assert whats(watch.view()) == []
    assert logged == [
        {
            "event": "fleet.control_log_silent",
            "log_level": "warning",
            "reason": "no word in 0.01 s",
            "again_in": AGAIN_SECONDS,
        }
    ]
