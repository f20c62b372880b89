"""Agents that the control log names, whose hosts were down before."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from agents.top.known_agents import AGAIN_SECONDS, expect_known_agents
from agents.top.watch import PATIENCE_SECONDS, Watch
from bus.client import Client
from bus.codec import encode_control
from bus.memory import MemoryBroker
from bus.message import Message
from bus.routing_keys import EVERYBODY
from bus.topology import Topology
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
    monkeypatch.setattr("agents.top.known_agents.SILENT_SECONDS", 0.01)
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
            "event": "top.control_log_silent",
            "log_level": "warning",
            "reason": "no word in 0.01 s",
            "again_in": AGAIN_SECONDS,
        }
    ]


class FallingSilentBroker(MemoryBroker):
    """Its control log tells of an agent and then hangs; once it `is_well`, it tells of another one."""

    is_well = False

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Tell, and hang."""
        del name, since
        yield encode_control(Hello(host="down", agents=("first",)))
        if not self.is_well:
            await asyncio.Event().wait()
        yield encode_control(Hello(host="down", agents=("second",)))


async def test_what_the_control_log_tells_before_it_hangs_is_known_and_the_rest_once_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.top.known_agents.SILENT_SECONDS", 0.1)
    monkeypatch.setattr("agents.top.known_agents.AGAIN_SECONDS", 0.1)
    known: list[set[str]] = []
    async with FallingSilentBroker("watch-hangs") as broker:
        reading = asyncio.create_task(
            expect_known_agents(broker, Topology(), lambda found: known.append(set(found))), name="reading"
        )
        with capture_logs():
            await wait_until(lambda: known, what="the first one")
            broker.is_well = True
            await asyncio.wait_for(reading, 10)
    assert (known[0], known[-1]) == ({"first"}, {"first", "second"})


class SlowLogBroker(MemoryBroker):
    """Its control log takes 0.6 s, with a word each 50 ms."""

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Tell of twelve agents."""
        del name, since
        for number in range(12):
            await asyncio.sleep(0.05)
            yield encode_control(Hello(host="down", agents=(f"agent-{number}",)))


async def test_a_control_log_that_takes_long_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.top.known_agents.SILENT_SECONDS", 0.4)
    known: list[set[str]] = []
    async with SlowLogBroker("watch-slow-log") as broker, asyncio.timeout(10):
        await expect_known_agents(broker, Topology(), lambda found: known.append(set(found)))
    assert known == [{f"agent-{number}" for number in range(12)}]
