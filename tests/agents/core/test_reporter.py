import asyncio
from itertools import pairwise

import httpx
import pytest

from agents import BaseAgentV2, CircuitState
from agents.core.version import VERSION
from schemas import AgentReport, BreakerReport, HostReport, PoolReport, Report, ReportKind, TaskMessage
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import ScriptedOllama


class Asker(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> str:
        return await self.query_ollama(task["prompt"])


async def test_a_host_reports_on_host_breaker_pool_and_each_agent() -> None:
    staff = (Asker(name="one"), Asker(name="two", max_concurrent_tasks=2))
    async with agent_world(*staff, health_check_interval=0.05) as world, asyncio.timeout(10):
        await world.client.ask("two", "Hi")
        async with world.client.reports() as reports:
            first = await anext(reports)
            while not isinstance(first, HostReport):
                first = await anext(reports)
            told: list[Report] = [first, *[await anext(reports) for _ in range(4)]]
    host, breaker, pool, one, two = told
    assert isinstance(host, HostReport)
    assert (host.host, host.agents, host.state, host.version) == ("host-1", ["one", "two"], "running", VERSION)
    assert host.memory_bytes > 0
    assert host.interval == 0.05
    assert isinstance(breaker, BreakerReport)
    assert (breaker.name, breaker.state, breaker.old) == ("model", "closed", None)
    assert isinstance(pool, PoolReport)
    assert (pool.slots, pool.active, pool.waiting, pool.loaded_lane) == (2, 0, 0, "tinyllama:latest")
    assert pool.stats["total_requests"] == 1
    assert isinstance(one, AgentReport)
    assert isinstance(two, AgentReport)
    assert [one.agent, two.agent] == ["one", "two"]
    assert (two.consumer, two.reason, two.prefetch, two.held) == ("consuming", None, 2, 0)
    assert (two.health["tasks_processed"], two.health["ollama_healthy"]) == (1, True)


async def test_a_listener_may_ask_for_one_kind_and_sees_it_at_each_interval() -> None:
    async with (
        agent_world(Asker(name="one"), health_check_interval=0.02) as world,
        world.client.reports(kind=ReportKind.POOL) as reports,
        asyncio.timeout(10),
    ):
        times = [(await anext(reports)).timestamp for _ in range(6)]
    gaps = sorted((later - earlier).total_seconds() for earlier, later in pairwise(times))
    assert gaps[2] >= 0.015  # one more comes in between two, since the listener asks for it


async def test_a_transition_of_the_breaker_is_told_at_once_and_a_stop_at_its_end() -> None:
    async with (
        agent_world(Asker(name="one"), health_check_interval=60, breaker_recovery=60) as world,
        world.client.reports(kind=ReportKind.BREAKER) as breakers,
        world.client.reports(kind=ReportKind.HOST) as hosts,
        asyncio.timeout(10),
    ):
        await world.host.pool.breaker.force_open()
        told = await anext(breakers)
        while told.old is None:  # type: ignore[union-attr]  # only breakers come here
            told = await anext(breakers)
        assert isinstance(told, BreakerReport)
        assert (told.old, told.state, told.trip_count) == (CircuitState.CLOSED, CircuitState.OPEN, 1)
        assert 0 < told.time_until_retry <= 60
        await world.host.stop()
        states = [await anext(hosts)]
        while states[-1].state != "closing":  # type: ignore[union-attr]  # only hosts come here
            states.append(await anext(hosts))


async def test_a_server_that_hangs_is_told_as_unhealthy_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.core.reporter.HEALTH_SECONDS", 0.01)

    class Hanging(ScriptedOllama):
        @property
        def transport(self) -> httpx.MockTransport:
            async def hang(_request: httpx.Request) -> httpx.Response:
                await asyncio.Event().wait()
                raise AssertionError

            return httpx.MockTransport(hang)

    async with (
        agent_world(Asker(name="one"), ollama=Hanging(), health_check_interval=0.05) as world,
        world.client.reports(kind=ReportKind.AGENT) as reports,
        asyncio.timeout(10),
    ):
        told = await anext(reports)
    assert isinstance(told, AgentReport)
    assert (told.health["ollama_healthy"], told.health["healthy"]) == (False, False)
