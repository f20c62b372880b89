"""An outage of the model server costs no task."""

import asyncio
import re
from itertools import pairwise
from statistics import median

import httpx
import pytest

from agents import BaseAgentV2, CircuitState, Host
from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.completion import Completion
from agents.core.model.errors import ModelServerFault
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import BreakerReport, PoolReport, TaskMessage, TaskStatus
from tests.support.agent_world import AgentWorld, agent_world, connected_client, memory_url, settings_for
from tests.support.management import Management
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


class Asker(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> str:
        return await self.query_ollama(task["prompt"])


class Calculator(BaseAgentV2):
    needs_model = False

    async def process_task(self, _task: TaskMessage) -> int:
        return 4


async def test_a_dead_model_server_pauses_the_agents_and_no_task_fails_or_uses_an_attempt(
    vhost_url: str, management: Management
) -> None:
    quick = {"breaker_failures": 2, "breaker_recovery": 0.3, "health_check_interval": 0.1}
    async with OllamaPort(ScriptedOllama()) as port:
        settings = settings_for(vhost_url, **quick, ollama_url=port.url)
        async with (
            connected_client(settings) as client,
            client.reports() as reports,
            client.results() as results,
            Host([Asker(name="asker"), Calculator(name="calculator")], settings),
            asyncio.timeout(30),
        ):
            assert (await client.ask("asker", "before")).status is TaskStatus.COMPLETED
            await port.die()
            tasks = [await client.submit("asker", str(n)) for n in range(3)]
            breakers: list[BreakerReport] = []
            pools: list[PoolReport] = []

            async def until(state: str) -> None:
                async for report in reports:
                    if isinstance(report, PoolReport):
                        pools.append(report)
                    if isinstance(report, BreakerReport) and report.old is not None:
                        breakers.append(report)
                        if report.state == state:
                            return

            async def all_wait() -> bool:
                info = await client.broker.queue_info("sutazai.tasks.asker")
                return info is not None and (info.ready, info.consumers) == (3, 0)

            async def statistics_agree() -> bool:
                row = (await management.queues())["sutazai.tasks.asker"]
                return (row.get("messages_ready"), row.get("consumers")) == (3, 0)

            await until("open")
            await wait_until(all_wait, what="three tasks in the queue and no consumer")
            await wait_until(statistics_agree, what="the same in the management API")
            assert (await client.ask("calculator", "2 + 2")).result == 4
            await port.come_back()
            await until("closed")
            ended = [result for result in [await anext(results) for _ in range(5)] if result.agent == "asker"]
            assert {result.task_id for result in ended} >= {task.id for task in tasks}
            assert {(result.status, result.attempt) for result in ended} == {(TaskStatus.COMPLETED, 1)}
            gaps = [(b.timestamp - a.timestamp).total_seconds() for a, b in pairwise(pools)]
            assert median(gaps) >= 0.09  # some come in between, as on a change of the lane
            assert len(pools) > 4


async def opened(world: AgentWorld) -> CircuitBreaker:
    breaker = world.host.pool.breaker
    await breaker.force_open()
    await wait_until(lambda: world.host.consumers[0].state == "paused", what="the pause")
    assert world.host.consumers[0].reason == "the model server does not answer"
    return breaker


async def test_the_reason_of_a_pause_and_of_what_is_handed_back_names_the_fault_and_since_when() -> None:
    ollama = ScriptedOllama()
    ollama.script.extend([httpx.ConnectError("refused")] * 2)
    async with agent_world(Asker(name="asker"), ollama=ollama, breaker_failures=1, breaker_recovery=60) as world:
        await world.client.submit("asker", "Hi")
        await wait_until(lambda: world.host.consumers[0].state == "paused", what="the pause")
        reason = world.host.consumers[0].reason or ""
        assert re.match(
            r"the model server does not answer, failing since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: "
            r"no model server answers at http://scripted \(refused\)",
            reason,
        )


async def test_a_probe_that_fails_keeps_the_agents_paused_until_one_succeeds() -> None:
    ollama = ScriptedOllama()
    async with agent_world(Asker(name="asker"), ollama=ollama, breaker_recovery=0.05) as world:
        ollama.script.extend([httpx.ConnectError("down"), httpx.Response(500, json={"error": "sick"})])
        breaker = await opened(world)
        await ollama.arrivals(2)
        assert world.host.consumers[0].state == "paused"
        await ollama.arrivals(1)
        await wait_until(lambda: world.host.consumers[0].state == "consuming", what="the resumption")
        assert breaker.state is CircuitState.CLOSED
        assert breaker.get_stats()["trip_count"] == 3
        assert [body["options"]["num_predict"] for body in ollama.asked("/api/generate")] == [1, 1, 1]
        assert (await world.client.ask("asker", "Hi", timeout=10)).status is TaskStatus.COMPLETED


async def test_a_server_that_lacks_the_probes_model_is_back_all_the_same() -> None:
    ollama = ScriptedOllama()
    async with agent_world(Asker(name="asker"), ollama=ollama, breaker_recovery=0.05) as world:
        ollama.installed = []  # each probe is told that its model is missing
        breaker = await opened(world)
        await wait_until(lambda: world.host.consumers[0].state == "consuming", what="the resumption")
        assert breaker.state is CircuitState.CLOSED
        assert not ollama.asked("/api/pull")


async def test_a_second_outage_pauses_again() -> None:
    async with agent_world(Asker(name="asker"), breaker_recovery=0.05) as world:
        for _ in range(2):
            await opened(world)
            await wait_until(lambda: world.host.consumers[0].state == "consuming", what="the resumption")


async def test_a_host_may_stop_in_the_middle_of_an_outage() -> None:
    async with agent_world(Asker(name="asker"), breaker_recovery=60) as world:
        await opened(world)
        async with asyncio.timeout(5):
            await world.host.stop()


async def test_agents_that_ask_no_model_are_not_paused() -> None:
    async with agent_world(Asker(name="asker"), Calculator(name="calculator"), breaker_recovery=60) as world:
        await opened(world)
        assert [consumer.state for consumer in world.host.consumers] == ["paused", "consuming"]
        assert (await world.client.ask("calculator", "2 + 2", timeout=5)).result == 4


class CrashingPool(OllamaConnectionPool):
    """Its first probe fails in a way that nobody foresees."""

    crashed = False

    async def probe(self, model: str | None = None, *, server: str | None = None) -> Completion:
        if not self.crashed:
            self.crashed = True
            raise ZeroDivisionError("a fault of ours")
        return await super().probe(model, server=server)


async def test_a_probe_that_crashes_does_not_pause_the_host_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.core.model.recovery.AFTER_CRASH_SECONDS", 0.01)
    scripted = ScriptedOllama()
    breaker = CircuitBreaker(1, 0.05, ModelServerFault, name="model")
    pool = CrashingPool("http://scripted", max_retries=0, breaker=breaker, transport=scripted.transport)
    settings = settings_for(memory_url())
    async with connected_client(settings) as client, Host([Asker(name="asker")], settings, pool=pool):
        await breaker.force_open()
        assert (await client.ask("asker", "x", timeout=10)).status is TaskStatus.COMPLETED
    assert pool.crashed
