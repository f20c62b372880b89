"""What a host with several model servers tells of each, and of the pulls there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.circuit_breaker import CircuitBreaker
from agents.core.host import Host
from agents.core.model.errors import ModelServerFault
from agents.core.ollama_pool import OllamaConnectionPool
from bus.client import Client
from schemas import BreakerReport, PoolReport, ReportKind, TaskError, TaskMessage, TaskStatus
from tests.support.agent_world import Asker, agent_world, connected_client, memory_url, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_fleet import ScriptedFleet
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


def breaker(name: str) -> CircuitBreaker:
    return CircuitBreaker(1, 60.0, ModelServerFault, name=f"ollama {name}")


@asynccontextmanager
async def fleet_host(fleet: ScriptedFleet, health_check_interval: float = 60) -> AsyncIterator[tuple[Host, Client]]:
    """A host with one agent in front of the fleet, and a client."""
    settings = settings_for(memory_url(), health_check_interval=health_check_interval)
    pool = OllamaConnectionPool(fleet.urls, 1, breaker=breaker, max_retries=0, transport=fleet.transport)
    async with connected_client(settings) as client, Host([Asker(name="asker")], settings, pool=pool) as host:
        yield host, client


async def test_each_server_s_pool_and_breaker_are_reported() -> None:
    fleet = ScriptedFleet()
    fleet["a"].loaded = [{"name": "tinyllama:latest"}]
    async with (
        asyncio.timeout(10),
        fleet_host(fleet, health_check_interval=0.05) as (_, client),
        client.reports() as reports,
    ):
        await client.ask("asker", "Hi")
        told = [await anext(reports) for _ in range(12)]
    pools = [report for report in told if isinstance(report, PoolReport)]
    assert {report.server for report in pools} == {"http://a", "http://b"}
    assert {report.slots for report in pools} == {1}
    breakers = [report for report in told if isinstance(report, BreakerReport)]
    assert {(report.server, report.name) for report in breakers} == {
        ("http://a", "ollama http://a"),
        ("http://b", "ollama http://b"),
    }
    last = {report.server: report for report in pools}
    assert [last[name].loaded_lanes for name in ("http://a", "http://b")] == [["tinyllama:latest"], []]
    assert [last[name].stats["total_requests"] for name in ("http://a", "http://b")] == [1, 0]


async def loaded_at(client: Client, asked: Callable[[], Awaitable[object]] | None = None) -> list[str]:
    """Return what the next report of a pool says is loaded, after what is `asked`."""
    async with client.reports(kind=ReportKind.POOL) as reports, asyncio.timeout(10):
        if asked is not None:
            await anext(reports)
            await asked()
        report = await anext(reports)
        assert isinstance(report, PoolReport)
        return report.loaded_lanes


async def test_a_host_that_has_asked_nothing_tells_what_the_server_has_loaded_for_others() -> None:
    ollama = ScriptedOllama()
    ollama.loaded = [{"name": "other:latest", "context_length": 4096}]
    async with agent_world(Asker(name="asker"), ollama=ollama, health_check_interval=60) as world:
        assert await loaded_at(world.client) == ["other:latest"]


async def test_a_model_that_the_server_does_not_have_is_not_told_as_loaded() -> None:
    ollama = ScriptedOllama()
    ollama.pull_lines = [{"error": "pull model manifest: file does not exist"}]
    async with agent_world(Asker(name="asker"), ollama=ollama, health_check_interval=60) as world:

        async def ask() -> None:
            result = await world.client.ask("asker", "Hi", model="no-such-model", timeout=10)
            assert isinstance(result.error, TaskError)
            assert result.error.code == "model_not_found"

        assert await loaded_at(world.client, ask) == []
        assert world.ollama.asked("/api/generate")[-1]["model"] == "no-such-model:latest"


async def test_a_server_that_does_not_say_what_it_has_loaded_is_told_as_before() -> None:
    ollama = ScriptedOllama()
    async with OllamaConnectionPool("http://ollama", transport=ollama.transport) as pool:
        await pool.generate("Hi")
        server = pool.servers.first
        ollama.tells_loaded = False
        await server.look_at_memory()
        assert server.residents.in_memory == ["tinyllama:latest"]
        ollama.tells_loaded = True
        await server.breaker.force_open()
        await server.look_at_memory()
        assert server.residents.in_memory == ["tinyllama:latest"]


async def test_one_server_s_outage_is_told_and_pauses_nobody_two_do() -> None:
    fleet = ScriptedFleet()
    async with fleet_host(fleet) as (host, client), client.reports(kind=ReportKind.BREAKER) as reports:
        (consumer,) = host.consumers
        first, second = host.pool.servers
        await first.breaker.force_open()
        async with asyncio.timeout(10):
            told = await anext(reports)
            while not (isinstance(told, BreakerReport) and told.old):
                told = await anext(reports)
        assert (told.server, told.old, told.state) == ("http://a", "closed", "open")
        assert (await client.ask("asker", "Hi", timeout=10)).status is TaskStatus.COMPLETED
        assert consumer.state == "consuming"
        health = host.agents[0].health(host.pool, ollama_healthy=True)
        assert (health["circuit_breaker_status"], health["circuit_breaker_trips"]) == ("closed", 1)
        await second.breaker.force_open()
        await wait_until(lambda: consumer.state == "paused", what="the pause")
        await first.breaker.reset()
        await wait_until(lambda: consumer.state == "consuming", what="the resumption")
        assert (await client.ask("asker", "Hi", timeout=10)).status is TaskStatus.COMPLETED
    assert fleet.prompts("b") == ["Hi"]


async def test_a_task_that_meets_the_outage_of_one_server_completes_at_the_other() -> None:
    fleet = ScriptedFleet()
    fleet["a"].gate = asyncio.Event()  # it hangs
    settings = settings_for(memory_url())
    pool = OllamaConnectionPool(
        fleet.urls, 1, breaker=breaker, max_retries=0, transport=fleet.transport, request_timeout=0.05
    )
    async with connected_client(settings) as client, Host([Asker(name="asker")], settings, pool=pool):
        result = await client.ask("asker", "Hi", timeout=10)
    assert (result.status, result.attempt) == (TaskStatus.COMPLETED, 1)


async def test_a_pull_is_reported_step_by_step() -> None:
    ollama = ScriptedOllama()
    ollama.installed = []
    ollama.pull_lines = [
        {"status": "pulling 797b", "digest": "sha256:797b", "total": 10, "completed": 4},
        {"status": "success"},
    ]
    async with (
        agent_world(Asker(name="asker"), ollama=ollama, health_check_interval=60) as world,
        world.client.reports(kind=ReportKind.POOL) as reports,
        asyncio.timeout(10),
    ):
        await world.client.ask("asker", "Hi", timeout=10)
        pulls: list[dict[str, int]] = []
        while not any(pulls) or pulls[-1]:
            report = await anext(reports)
            assert isinstance(report, PoolReport)
            pulls.append(report.pulls)
    assert {"tinyllama:latest": 40} in pulls


class Calculator(BaseAgentV2):
    needs_model = False

    async def process_task(self, _task: TaskMessage) -> int:
        return 4


@pytest.mark.usefixtures("every_level")
async def test_a_host_whose_agents_need_no_model_does_not_warn_of_a_silent_server() -> None:
    levels: dict[bool, str] = {}
    for needed in (True, False):
        agent = Asker(name="one") if needed else Calculator(name="one")
        async with agent_world(agent, health_check_interval=60, breaker_recovery=60) as world:
            await world.host.pool.breaker.force_open()
            with capture_logs() as logs:
                await world.host.stop()
        (silent,) = [entry for entry in logs if entry["event"] == "model_server.silent"]
        levels[needed] = silent["log_level"]
        assert "start Ollama there, or set OLLAMA_URL" in silent["hint"]
    assert levels == {True: "warning", False: "info"}


async def test_a_server_that_accepts_connections_and_does_not_answer_is_told_as_one_that_may_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.core.reporter.HEALTH_SECONDS", 0.2)
    async with OllamaPort(ScriptedOllama()) as port:
        settings = settings_for(memory_url(), health_check_interval=60)
        pool = OllamaConnectionPool(port.url, watch=True)
        async with Host([Asker(name="asker")], settings, pool=pool) as host:
            await wait_until(lambda: pool.servers.first.vitals.accepts, what="the watch's connection")
            await host.reporter.report()
            port.ollama.silence = asyncio.Event()
            with capture_logs() as logs:
                await host.reporter.report()
            port.ollama.silence.set()
    (silent,) = [entry for entry in logs if entry["event"] == "model_server.silent"]
    assert silent["hint"] == "it accepts connections and does not answer: see whether it hangs"
