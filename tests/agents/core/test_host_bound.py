"""A host with many agents: what it holds, what goes next, and what it reports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents import BaseAgentV2, Priority
from agents.core.settings import SettingsError, load_settings
from bus.broker import ConsumerState
from schemas import HostReport, ReportKind, TaskStatus
from tests.support.agent_world import AgentWorld, Asker, agent_world, connected_client, memory_url, settings_for
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until

NAMES = [f"agent-{number}" for number in range(20)]


class Local(BaseAgentV2):
    """Asks no model."""

    needs_model = False

    async def process_task(self, _task: object) -> str:
        return "done"


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of either broker."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


@asynccontextmanager
async def full_host(amqp_url: str, ollama: ScriptedOllama, max_held: int | None = None) -> AsyncIterator[AgentWorld]:
    """A host with twenty agents whose model answers nobody before `ollama.gate` is set, and five tasks for each."""
    ollama.gate = asyncio.Event()
    async with agent_world(
        *(Asker(name=name) for name in NAMES),
        ollama=ollama,
        amqp_url=amqp_url,
        max_held=max_held,
        health_check_interval=0.2,
    ) as world:
        sending = (world.client.submit(name, f"low {n}", priority=Priority.LOW) for n in range(5) for name in NAMES)
        await asyncio.gather(*sending)
        yield world


def held(world: AgentWorld) -> int:
    return sum(consumer.held for consumer in world.host.consumers)


async def until_reported(world: AgentWorld, held: int, max_held: int) -> None:
    """Wait until the host reports that it holds so many, and may hold so many."""
    async with world.client.reports(kind=ReportKind.HOST) as reports, asyncio.timeout(10):
        async for report in reports:
            if isinstance(report, HostReport) and (report.held, report.max_held) == (held, max_held):
                return


async def test_a_host_holds_four_tasks_for_each_slot_and_says_that_it_is_full(amqp_url: str) -> None:
    ollama = ScriptedOllama()
    async with full_host(amqp_url, ollama) as world, world.client.results() as results:
        await wait_until(
            lambda: {consumer.state for consumer in world.host.consumers} == {ConsumerState.FULL}, what="a full host"
        )
        await wait_until(lambda: held(world) == 8, what="the bound")
        await wait_until(lambda: world.host.pool.queue.waiting == 6, what="all but two to wait at the slots")
        await until_reported(world, 8, 8)
        assert ollama.gate is not None
        ollama.gate.set()
        async with asyncio.timeout(40):
            ended = [await anext(results) for _ in range(100)]
        assert {(result.status, result.history) for result in ended} == {(TaskStatus.COMPLETED, ())}


async def test_a_critical_task_starts_next_though_a_hundred_low_ones_wait_in_twenty_queues(amqp_url: str) -> None:
    ollama = ScriptedOllama()
    async with full_host(amqp_url, ollama) as world, world.client.results() as results:
        queue = world.host.pool.queue
        await wait_until(lambda: queue.waiting == 6, what="a full host")
        await world.client.submit(NAMES[13], "critical", priority=Priority.CRITICAL)
        await wait_until(lambda: queue.waiting_by_priority().get("critical") == 1, what="the critical one at the slot")
        await wait_until(lambda: held(world) == 8, what="the bound")
        assert ollama.gate is not None
        ollama.gate.set()
        async with asyncio.timeout(40):
            [await anext(results) for _ in range(101)]
    prompts = [body["prompt"] for body in ollama.asked("/api/generate")]
    assert (prompts.index("critical"), len(prompts)) == (2, 101)


async def test_the_most_urgent_of_all_that_waited_for_a_host_is_its_first_work(amqp_url: str) -> None:
    settings = settings_for(amqp_url)
    async with connected_client(settings) as client, client.results() as results:
        for name in NAMES:
            await client.broker.declare(settings.topology.agent(name))
            await client.submit(name, "low", priority=Priority.LOW)
        await client.submit(NAMES[-1], "critical", priority=Priority.CRITICAL)
        staff = (Asker(name=name) for name in NAMES)
        async with agent_world(*staff, amqp_url=amqp_url, max_ollama_connections=1) as world, asyncio.timeout(40):
            [await anext(results) for _ in range(21)]
    assert [body["prompt"] for body in world.ollama.asked("/api/generate")] == ["critical", *["low"] * 20]


async def test_the_bound_can_be_set_and_an_idle_host_consumes_all_of_its_queues(amqp_url: str) -> None:
    ollama = ScriptedOllama()
    async with full_host(amqp_url, ollama, max_held=3) as world:
        await wait_until(lambda: held(world) == 3, what="the bound")
        assert ollama.gate is not None
        ollama.gate.set()
    async with agent_world(Asker(name="one"), Asker(name="two"), amqp_url=amqp_url) as world:
        await wait_until(
            lambda: {consumer.state for consumer in world.host.consumers} == {ConsumerState.CONSUMING}, what="them"
        )


async def test_the_urgent_goes_next_though_its_agents_window_is_full_and_the_slot_is_anothers(
    amqp_url: str,
) -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    staff = (Asker(name="one"), Asker(name="two"))
    async with (
        agent_world(*staff, ollama=ollama, amqp_url=amqp_url, max_ollama_connections=1, max_held=6) as world,
        world.client.results() as results,
    ):
        queue = world.host.pool.queue
        await world.client.submit("two", "running", priority=Priority.LOW)
        await ollama.arrivals(1)
        for number in range(8):
            await world.client.submit("one", f"low {number}", priority=Priority.LOW)
        await wait_until(lambda: queue.waiting == 3, what="the window of one to be full")
        await world.client.submit("one", "critical", priority=Priority.CRITICAL)
        await wait_until(lambda: queue.waiting_by_priority() == {"critical": 1, "low": 2}, what="an exchange")
        ollama.gate.set()
        async with asyncio.timeout(20):
            [await anext(results) for _ in range(10)]
    assert [body["prompt"] for body in ollama.asked("/api/generate")][:2] == ["running", "critical"]


async def test_an_agent_that_asks_no_model_does_not_count(amqp_url: str) -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    staff = (*(Asker(name=name) for name in NAMES[:3]), Local(name="local"))
    async with (
        agent_world(*staff, ollama=ollama, amqp_url=amqp_url, max_held=2) as world,
        world.client.results(agent="local") as results,
    ):
        await asyncio.gather(*(world.client.submit(name, "x") for name in NAMES[:3] for _ in range(3)))
        await wait_until(lambda: held(world) == 2, what="the bound")
        for _ in range(5):
            await world.client.submit("local", "x")
        async with asyncio.timeout(10):
            [await anext(results) for _ in range(5)]
        ollama.gate.set()


def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_held"):
        load_settings(None, max_held=0)
