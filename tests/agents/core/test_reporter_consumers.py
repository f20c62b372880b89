"""What changes with a consumer is told at once, not at the next interval."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from bus.memory import MemoryBroker
from schemas import AgentReport, HostReport, Report, ReportKind, TaskStatus
from tests.support.agent_world import Asker, Gate, Holder, agent_world, memory_url
from tests.support.scripted_ollama import ScriptedOllama, refusal

SELDOM: dict[str, Any] = {"health_check_interval": 60}


async def agent_reports(
    reports: AsyncIterator[Report], is_last: Callable[[AgentReport], bool]
) -> list[tuple[str, int, str | None]]:
    """Return consumer, losses and reason of each report up to the last one that is wanted."""
    told: list[tuple[str, int, str | None]] = []
    async with asyncio.timeout(10):
        async for report in reports:
            assert isinstance(report, AgentReport)
            told.append((report.consumer, report.losses, report.reason))
            if is_last(report):
                break
    return told


def cut_broker(url: str) -> MemoryBroker:
    """Return a broker of its own for a host, whose connection a test may cut."""
    return MemoryBroker(url.removeprefix("memory://"))


async def test_a_lost_consumer_is_told_at_once_and_so_is_its_return() -> None:
    url = memory_url()
    broker = cut_broker(url)
    async with (
        agent_world(Holder(Gate()), amqp_url=url, broker=broker, **SELDOM) as world,
        world.client.reports(kind=ReportKind.AGENT) as reports,
    ):
        broker.cut()
        told = await agent_reports(reports, lambda report: (report.consumer, report.losses) == ("consuming", 1))
    assert ("lost", 1, None) in told
    assert told.index(("lost", 1, None)) < told.index(("consuming", 1, None))


async def test_a_pause_is_told_with_its_reason() -> None:
    async with (
        agent_world(Holder(Gate()), **SELDOM) as world,
        world.client.reports(kind=ReportKind.AGENT) as reports,
    ):
        consumer = world.host.consumers[0]
        await consumer.pause("for a test")
        told = await agent_reports(reports, lambda report: report.consumer == "paused")
        assert told[-1] == ("paused", 0, "for a test")
        consumer.resume()
        told = await agent_reports(reports, lambda report: report.consumer == "consuming" and report.reason is None)
    assert told[-1] == ("consuming", 0, None)


async def test_an_agent_s_own_health_that_raises_does_not_end_its_consumer() -> None:
    class Broken(Holder):
        def health(self, *_args: object, **_named: object) -> dict[str, Any]:
            raise ValueError("a bug in a report")

    url, gate = memory_url(), Gate()
    gate.leave.set()
    broker = cut_broker(url)
    async with agent_world(Broken(gate), amqp_url=url, broker=broker, **SELDOM) as world:
        broker.cut()
        assert (await world.client.ask("holder", "Hi", timeout=10)).status is TaskStatus.COMPLETED
        assert world.host.consumers[0].losses == 1


async def test_an_agents_results_are_counted_by_status_and_a_hosts_links_are_told() -> None:
    ollama = ScriptedOllama()
    ollama.script.append(refusal(400, "bad prompt"))
    async with agent_world(Asker(name="asker"), ollama=ollama, **SELDOM) as world:
        for _ in range(3):
            await world.client.ask("asker", "Hi", timeout=10)
        async with world.client.reports() as reports, asyncio.timeout(10):
            await world.host.stop()
            told = [report async for report in _until_closing(reports)]
    agent = next(report for report in reversed(told) if isinstance(report, AgentReport))
    host = next(report for report in reversed(told) if isinstance(report, HostReport))
    assert agent.results == {"failed": 1, "completed": 2}
    assert host.links == {"consuming": "connected", "publishing": "connected"}


async def _until_closing(reports: AsyncIterator[Report]) -> AsyncIterator[Report]:
    """Iterate up to the last report on an agent, with which a host ends."""
    is_closing = False
    async for report in reports:
        yield report
        is_closing |= isinstance(report, HostReport) and report.state == "closing"
        if is_closing and isinstance(report, AgentReport):
            return
