"""Several hosts in an outage of their model servers: nothing is lost or tried in vain, and they come back in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from agents import Host
from bus.client import Client
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import Asker, connected_client, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.waiting import wait_until
from tests.support.watched_ollama import WatchedOllama

HOSTS = 3
SLOTS = 2
ANSWER_SECONDS = 0.05
TASKS = 150
"""More than one host alone does before the last one is back: a wait may have doubled to five recovery times."""


@dataclass
class Fleet:
    """Hosts on one broker, each in front of a model server's port of its own."""

    hosts: list[Host]
    models: list[WatchedOllama]
    ports: list[OllamaPort]
    client: Client
    results: AsyncIterator[TaskResult]

    async def down(self) -> None:
        """Take all servers away."""
        for port in self.ports:
            await port.die()

    async def all_paused(self) -> None:
        """Wait until nobody consumes or holds anything."""
        await wait_until(lambda: self.states() == {("paused", 0)}, timeout=20, what="the pause of all hosts")

    async def up(self) -> None:
        """Bring all servers back and wait until all hosts consume."""
        for port in self.ports:
            await port.come_back()
        await wait_until(lambda: {state for state, _ in self.states()} == {"consuming"}, timeout=20, what="the return")

    def states(self) -> set[tuple[str, int]]:
        """What the consumers do, and how many tasks they hold."""
        return {(consumer.state, consumer.held) for host in self.hosts for consumer in host.consumers}

    async def waiting(self) -> tuple[int, int]:
        """Return the tasks that are ready in the queue, and its consumers."""
        info = await self.client.broker.queue_info("sutazai.tasks.asker")
        assert info is not None
        return info.ready, info.consumers

    async def ended(self, count: int) -> list[TaskResult]:
        """Return so many more results."""
        async with asyncio.timeout(30):
            return [await anext(self.results) for _ in range(count)]


@asynccontextmanager
async def fleet(amqp_url: str) -> AsyncIterator[Fleet]:
    models = [WatchedOllama(ANSWER_SECONDS) for _ in range(HOSTS)]
    quick = {"max_ollama_connections": SLOTS, "breaker_failures": 2, "breaker_recovery": 0.3}
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(OllamaPort(model)) for model in models]
        client = await stack.enter_async_context(connected_client(settings_for(amqp_url)))
        results = await stack.enter_async_context(client.results())
        hosts = []
        for number, port in enumerate(ports, 1):
            settings = settings_for(amqp_url, host_name=f"host-{number}", ollama_url=port.url, **quick)
            hosts.append(await stack.enter_async_context(Host([Asker(name="asker")], settings)))
        yield Fleet(hosts, models, ports, client, results)


@asynccontextmanager
async def stream_of_tasks(client: Client) -> AsyncIterator[list[TaskMessage]]:
    """Submit tasks all the time, every other one streamed, and tell which."""
    sent: list[TaskMessage] = []
    stop = asyncio.Event()

    async def publish() -> None:
        while not stop.is_set():
            sent.append(await client.submit("asker", f"question {len(sent)}", stream=len(sent) % 2 == 1))
            await asyncio.sleep(ANSWER_SECONDS / 4)

    async with asyncio.TaskGroup() as group:
        group.create_task(publish(), name="stream-of-tasks")
        try:
            yield sent
        finally:
            stop.set()


async def test_an_outage_under_a_steady_stream_costs_no_task_and_no_attempt_and_the_depth_shows(vhost_url: str) -> None:
    async with fleet(vhost_url) as world:
        async with stream_of_tasks(world.client) as sent:
            results = await world.ended(20)
            await world.down()
            await world.all_paused()
            so_far = len(sent)
            await wait_until(lambda: len(sent) > so_far + 20, what="more tasks")
            ready, consumers = await world.waiting()
            assert ready >= 20
            assert consumers == 0
            await world.up()
        results += await world.ended(len(sent) - len(results))
    assert {result.task_id for result in results} == {task.id for task in sent}
    assert {(result.status, result.attempt) for result in results} == {(TaskStatus.COMPLETED, 1)}


async def test_hosts_come_back_without_a_stampede(vhost_url: str) -> None:
    async with fleet(vhost_url) as world:
        await world.down()
        for number in range(TASKS):
            await world.client.submit("asker", f"question {number}")
        await world.all_paused()
        await world.up()
        await world.ended(TASKS)
        for model in world.models:
            first, second, *_ = model.answered
            assert (first.is_probe, second.is_probe) == (True, False)
            assert (model.most_requests, model.most_probes) == (SLOTS, 1)
