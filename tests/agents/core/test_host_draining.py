"""A host that drains is no mute one: who looks at it sees it, what it still does, and that it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents.cli.task_life import life_of
from bus.orders import say
from schemas import AgentReport, DrainHost, HostReport, PauseAgents, Report, ReportKind, ResumeAgents
from tests.support.agent_world import AgentWorld, Gate, Holder, agent_world
from tests.support.waiting import wait_until

SELDOM = 600.0
"""Seconds between two reports that nobody asks for."""


@asynccontextmanager
async def draining(interval: float, **given: Any) -> AsyncIterator[AgentWorld]:
    """A host that drains, with a task named `last` at work."""
    gate = Gate()
    async with agent_world(Holder(gate), health_check_interval=interval, grace_period=60, **given) as world:
        await world.client.submit("holder", "1", id="last")
        await gate.next()
        stopping = asyncio.create_task(world.host.stop(), name="stop")
        await wait_until(lambda: world.host.reporter.stage == "draining", what="the drain")
        async with asyncio.timeout(20):
            yield world
            gate.leave.set()
            await stopping


async def heard(reports: AsyncIterator[Report], kind: type[Report]) -> Report:
    return await anext(report async for report in reports if isinstance(report, kind))


async def test_a_draining_host_answers_who_asks_and_tells_what_it_still_does() -> None:
    async with draining(SELDOM) as world:
        for _ in range(2):
            async with world.client.reports() as reports:
                host, agent = await heard(reports, HostReport), await heard(reports, AgentReport)
            assert isinstance(host, HostReport)
            assert isinstance(agent, AgentReport)
            assert (host.state, host.held) == ("draining", 1)
            assert (agent.consumer, [task.id for task in agent.tasks]) == ("paused", ["last"])


async def test_a_draining_host_reports_at_each_interval_too() -> None:
    async with draining(0.02) as world, world.client.reports(kind=ReportKind.HOST) as reports:
        states = [report.state for _ in range(5) if isinstance(report := await anext(reports), HostReport)]
    assert states == ["draining"] * 5


async def test_the_task_that_a_draining_host_works_on_is_found() -> None:
    async with draining(SELDOM) as world:
        life = await life_of(world.client, "last", None, ())
    assert life.place is not None
    assert (life.place.host, life.place.task.state) == ("host-1", "running")


async def test_a_draining_host_is_neither_resumed_nor_paused_and_takes_nothing() -> None:
    async with draining(SELDOM) as world:
        for word in (ResumeAgents(), PauseAgents(), DrainHost(host="host-1")):
            await say(world.client.broker, world.client.topology, word)
        await world.client.submit("holder", "2", id="late")
        async with world.client.reports() as reports:
            await heard(reports, HostReport)  # with which the round begins that was asked for last
            report = await heard(reports, AgentReport)
        assert isinstance(report, AgentReport)
        assert (report.consumer, report.reason, report.held) == ("paused", "stopping", 1)
