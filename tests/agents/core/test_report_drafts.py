"""What reports say."""

import asyncio
import os
import platform
from collections.abc import AsyncIterator

from agents.core.base_agent_v2 import BaseAgentV2
from bus.errors import RetryableError
from schemas import (
    AgentReport,
    BreakerReport,
    HostReport,
    PoolReport,
    Report,
    ReportKind,
    TaskMessage,
    now,
)
from tests.support.agent_world import AgentWorld, Asker, Gate, Holder, agent_world
from tests.support.scripted_ollama import refusal
from tests.support.waiting import wait_until


class Calculator(BaseAgentV2):
    needs_model = False

    async def process_task(self, _task: TaskMessage) -> int:
        return 4


class Shaky(BaseAgentV2):
    needs_model = False

    async def process_task(self, _task: TaskMessage) -> int:
        raise RetryableError("the archive does not answer")


async def agents_of(reports: AsyncIterator[Report], count: int) -> list[AgentReport]:
    """Return the next reports, which are all on agents."""
    told = [await anext(reports) for _ in range(count)]
    assert all(isinstance(report, AgentReport) for report in told)
    return [report for report in told if isinstance(report, AgentReport)]


async def asked_for(world: AgentWorld, *agents: str) -> dict[str, AgentReport]:
    """Return a new report on each of the agents."""
    found: dict[str, AgentReport] = {}
    began = now()
    async with asyncio.timeout(10), world.client.reports(kind=ReportKind.AGENT) as reports:
        while set(agents) - set(found):
            found |= {report.agent: report for report in await agents_of(reports, 1) if report.timestamp > began}
    return found


async def marks_of_one_host() -> set[str]:
    """Start a host and return the process marks in a whole round of its reports."""
    kinds: set[type[Report]] = set()
    marks: set[str] = set()
    async with agent_world(Asker(name="asker")) as world, world.client.reports() as reports, asyncio.timeout(10):
        while len(kinds) < len(ReportKind):
            report = await anext(reports)
            kinds.add(type(report))
            marks.add(report.process)
    return marks


async def test_all_reports_of_one_start_bear_one_mark_and_those_of_the_next_another() -> None:
    first, second = await marks_of_one_host(), await marks_of_one_host()
    assert len(first) == len(second) == 1
    assert first != second
    assert "" not in first


async def test_an_agent_tells_what_it_holds_what_it_has_done_and_how_long_that_took() -> None:
    gate = Gate()
    before = now()
    async with agent_world(Holder(gate, concurrency=2), Calculator(name="idle"), health_check_interval=600) as world:
        for _ in range(2):
            await world.client.submit("holder", "x")
            await gate.next()
        await wait_until(lambda: world.host.consumers[0].held == 2, what="two tasks in hand")
        told = await asked_for(world, "holder", "idle")
        holder, idle = told["holder"], told["idle"]
        assert (holder.held, holder.running + holder.waiting, holder.attempts, holder.retries) == (2, 2, 2, 0)
        assert (holder.seconds, holder.model) == (None, "tinyllama")
        assert holder.last_delivery is not None
        assert before < holder.last_delivery < holder.timestamp
        assert (idle.held, idle.running, idle.waiting, idle.attempts, idle.last_delivery) == (0, 0, 0, 0, None)
        assert idle.model is None
        gate.leave.set()
        await wait_until(lambda: world.host.consumers[0].held == 0, what="both done")
        holder = (await asked_for(world, "holder"))["holder"]
    assert holder.seconds is not None
    assert 0 <= holder.seconds.p50 <= holder.seconds.p95 < 10
    assert (holder.running, holder.waiting, holder.results) == (0, 0, {"completed": 2})


async def test_a_retry_is_told_beside_the_attempts() -> None:
    async with agent_world(Shaky(name="shaky"), health_check_interval=600) as world:
        await world.client.submit("shaky", "x", max_attempts=2)
        consumer = world.host.consumers[0]
        await wait_until(lambda: consumer.retries == 1, what="the first attempt to be on the ladder")
        told = (await asked_for(world, "shaky"))["shaky"]
    assert told.retries == 1
    assert told.attempts >= 1


async def test_a_pool_tells_its_tokens_and_a_breaker_why_it_is_open() -> None:
    async with agent_world(Asker(name="asker"), health_check_interval=600, breaker_recovery=60) as world:
        usage = (await world.client.ask("asker", "Hi", timeout=10)).usage
        world.ollama.script.extend([refusal(500, "the runner has died")] * 20)
        await world.client.submit("asker", "again")
        breaker = world.host.pool.servers.first.breaker
        await wait_until(lambda: world.host.pool.servers.first.vitals.trouble, what="a fault")
        await breaker.force_open()
        pools, breakers, hosts = await newest_of(world)
    assert usage is not None
    assert (pools.tokens_in, pools.tokens_out) == (usage.tokens_in, usage.tokens_out)
    assert usage.tokens_out > 0
    assert pools.tokens_per_second == usage.tokens_per_second
    assert pools.queue_limit == world.host.pool.queue.max_queue_size
    assert (breakers.state, breakers.recovery_timeout) == ("open", 60.0)
    assert breakers.reason is not None
    assert breakers.reason.startswith("failing since ")
    assert breakers.reason.endswith("the runner has died")
    assert (hosts.slots, hosts.waiting, hosts.pid) == (2, 0, os.getpid())
    assert hosts.python == platform.python_version()
    assert hosts.rabbitmq == world.host.broker.description


async def newest_of(world: AgentWorld) -> tuple[PoolReport, BreakerReport, HostReport]:
    """Return new reports on the pool, its breaker and the host."""
    found: dict[ReportKind, Report] = {}
    began = now()
    async with asyncio.timeout(10), world.client.reports() as reports:
        while len(found) < 4:
            report = await anext(reports)
            if report.timestamp > began:
                found[report.kind] = report
    pool, breaker, host = found[ReportKind.POOL], found[ReportKind.BREAKER], found[ReportKind.HOST]
    assert isinstance(pool, PoolReport)
    assert isinstance(breaker, BreakerReport)
    assert isinstance(host, HostReport)
    return pool, breaker, host
