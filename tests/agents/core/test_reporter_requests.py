"""Who begins to watch late is told everything soon, and no more than a host can bear."""

import asyncio
from collections.abc import AsyncIterator

from agents.core.reporter import REST_SECONDS
from schemas import AgentReport, HostReport, PoolReport, Report, ReportKind
from tests.support.agent_world import Asker, Gate, Holder, agent_world
from tests.support.waiting import wait_until

SELDOM = 600.0
"""Seconds between two reports that nobody asks for."""


async def whole_round(reports: AsyncIterator[Report], last: str) -> list[Report]:
    """Return the reports from the next one on the host to the one on its last agent."""
    told: list[Report] = []
    async for report in reports:
        if told or isinstance(report, HostReport):
            told.append(report)
        if told and isinstance(report, AgentReport) and report.agent == last:
            break
    return told


async def test_a_late_comer_knows_everything_within_two_seconds(vhost_url: str) -> None:
    staff = [Asker(name="one"), Asker(name="two")]
    async with agent_world(*staff, amqp_url=vhost_url, health_check_interval=SELDOM) as world:
        await world.client.ask("two", "Hi", timeout=10)
        for _ in range(2):  # the second one comes while the host rests
            async with asyncio.timeout(2), world.client.reports() as reports:
                told = await whole_round(reports, "two")
            assert [report.kind for report in told] == ["host", "breaker", "pool", "agent", "agent"]
        assert isinstance(told[4], AgentReport)
        assert told[4].results == {"completed": 1}


async def test_many_requests_are_answered_once_a_second() -> None:
    async with agent_world(Asker(name="one"), health_check_interval=SELDOM) as world, asyncio.timeout(10):
        async with world.client.reports(kind=ReportKind.HOST) as reports:
            await anext(reports)
            first = await anext(reports)
            for _ in range(20):
                async with world.client.reports():
                    pass
            second = await anext(reports)
        assert (second.timestamp - first.timestamp).total_seconds() >= REST_SECONDS


async def test_a_request_is_not_kept_for_hosts_that_start_later() -> None:
    async with agent_world(Asker(name="one"), health_check_interval=SELDOM) as world:
        async with world.client.reports() as reports, asyncio.timeout(10):
            await whole_round(reports, "one")
        log = await world.client.broker.queue_info(world.client.topology.control_log)
        assert log is None or log.ready <= 1  # the host's own greeting


async def test_a_change_of_model_is_told_within_a_second_and_the_last_one_wins() -> None:
    async with (
        agent_world(Asker(name="one"), health_check_interval=SELDOM) as world,
        world.client.reports(kind=ReportKind.POOL) as reports,
        asyncio.timeout(10),
    ):
        await anext(reports)
        await anext(reports)  # that of the interval, and the one that the listener has asked for
        lanes: list[str | None] = []
        for model in ("tinyllama", "other", "third"):
            world.ollama.installed.append(f"{model}:latest")
            await world.client.ask("one", "Hi", model=model)
        while lanes[-1:] != ["third:latest"]:
            report = await anext(reports)
            assert isinstance(report, PoolReport)
            lanes.append(report.loaded_lane)
    assert len(lanes) <= 2


def is_full(report: Report) -> bool:
    return isinstance(report, HostReport) and (report.held, report.max_held) == (1, 1)


async def test_a_host_that_holds_all_it_may_says_so_at_once() -> None:
    gate = Gate()
    staff = [Holder(gate, name=name) for name in ("one", "two")]
    async with agent_world(*staff, health_check_interval=SELDOM, max_held=1) as world:
        async with world.client.reports() as reports, asyncio.timeout(10):
            while not (isinstance(report := await anext(reports), AgentReport) and report.agent == "two"):
                pass  # the round that this listener has asked for
            await world.client.submit("one", "x")
            await gate.next()
            while not is_full(await anext(reports)):
                pass
        gate.leave.set()
        await wait_until(lambda: not any(consumer.held for consumer in world.host.consumers), what="the end")
