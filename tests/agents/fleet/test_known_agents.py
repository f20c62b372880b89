"""Agents that the control log names: also one that hangs, fails, or takes long."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from agents.fleet.known_agents import expect_known_agents
from bus.codec import encode_control
from bus.errors import BusError, ConnectionLost
from bus.memory import MemoryBroker
from bus.message import Message
from bus.topology import Topology
from schemas import Hello
from tests.support.waiting import wait_until


class FallingSilentBroker(MemoryBroker):
    """Its control log tells of an agent and then hangs, or fails; once it `is_well`, it tells of another one."""

    fault: BusError | None = None
    is_well = False

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Tell, and hang."""
        del name, since
        yield encode_control(Hello(host="down", agents=("first",)))
        if self.fault is not None and not self.is_well:
            raise self.fault
        if not self.is_well:
            await asyncio.Event().wait()
        yield encode_control(Hello(host="down", agents=("second",)))


@pytest.mark.parametrize("fault", [None, ConnectionLost("gone")])
async def test_what_the_control_log_tells_before_it_hangs_is_known_and_the_rest_once_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch, fault: BusError | None
) -> None:
    monkeypatch.setattr("agents.fleet.known_agents.SILENT_SECONDS", 0.1)
    monkeypatch.setattr("agents.fleet.known_agents.AGAIN_SECONDS", 0.1)
    known: set[str] = set()
    async with FallingSilentBroker("known-hangs") as broker:
        broker.fault = fault
        reading = asyncio.create_task(expect_known_agents(broker, Topology(), known.update), name="reading")
        with capture_logs() as logged:
            await wait_until(lambda: logged, what="the warning")
            assert known == {"first"}
            broker.is_well = True
            await asyncio.wait_for(reading, 10)
    assert known == {"first", "second"}
    reason = "no word in 0.1 s" if fault is None else "gone"
    assert {(line["event"], line["reason"]) for line in logged} == {("fleet.control_log_silent", reason)}


class SlowLogBroker(MemoryBroker):
    """Its control log takes 0.6 s, with a word each 50 ms."""

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Tell of twelve agents."""
        del name, since
        for number in range(12):
            await asyncio.sleep(0.05)
            yield encode_control(Hello(host="down", agents=(f"agent-{number}",)))


async def test_a_control_log_that_takes_long_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.fleet.known_agents.SILENT_SECONDS", 0.4)
    known: set[str] = set()
    async with SlowLogBroker("known-slow-log") as broker, asyncio.timeout(10):
        await expect_known_agents(broker, Topology(), known.update)
    assert known == {f"agent-{number}" for number in range(12)}


async def test_without_a_control_log_nothing_is_told_and_nothing_asked_again() -> None:
    known: set[str] = set()
    with capture_logs() as logged:
        async with MemoryBroker("known-no-log") as broker, asyncio.timeout(10):
            await expect_known_agents(broker, Topology(), known.update)
    assert (known, logged) == (set(), [])
