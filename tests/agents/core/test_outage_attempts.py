"""An outage of the model server costs no attempt, also of a task that was at the server when it went away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from agents import Host
from bus.client import Client
from schemas import TaskResult, TaskStatus
from tests.support.agent_world import Asker, connected_client, memory_url, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama, interrupted
from tests.support.waiting import wait_until

DOWN_SECONDS = 0.3


@dataclass
class Stage:
    """A host in front of a model server on a real port, and a listener to all results."""

    port: OllamaPort
    client: Client
    host: Host
    results: AsyncIterator[TaskResult]

    async def paused(self) -> None:
        """Wait until the host has paused its agent and holds nothing."""
        (consumer,) = self.host.consumers
        await wait_until(lambda: (consumer.state, consumer.held) == ("paused", 0), timeout=30, what="the pause")


@asynccontextmanager
async def stage(ollama: ScriptedOllama) -> AsyncIterator[Stage]:
    async with OllamaPort(ollama) as port:
        settings = settings_for(memory_url(), ollama_url=port.url, breaker_failures=3, breaker_recovery=0.2)
        async with (
            connected_client(settings) as client,
            client.results() as results,
            Host([Asker(name="asker")], settings) as host,
            asyncio.timeout(40),
        ):
            yield Stage(port, client, host, results)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_that_the_outage_breaks_off_costs_no_attempt(*, stream: bool) -> None:
    ollama = ScriptedOllama()
    ollama.script.extend(interrupted("some", asyncio.Event(), "more") for _ in range(2))
    async with stage(ollama) as world:
        for n in range(2):
            await world.client.submit("asker", f"question {n}", stream=stream)
        await ollama.arrivals(2)
        await world.port.die()
        await world.paused()
        await world.port.come_back()
        results = [await anext(world.results) for _ in range(2)]
        assert {(result.status, result.attempt) for result in results} == {(TaskStatus.COMPLETED, 1)}


class Fragile(ScriptedOllama):
    """Goes down with each request that names the word, for as long as it takes to be started again."""

    port: OllamaPort

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word
        self.crashes = 0
        self.restarts: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()

    @property
    def transport(self) -> httpx.MockTransport:
        usual = super().transport

        async def handle(request: httpx.Request) -> httpx.Response:
            if self._word.encode() in request.content:
                self.crashes += 1
                self.restarts.append(asyncio.create_task(self._restart(), name="restart"))
                await asyncio.Event().wait()
            return await usual.handle_async_request(request)

        return httpx.MockTransport(handle)

    async def _restart(self) -> None:
        async with self._one_at_a_time:
            await self.port.die()
            await asyncio.sleep(DOWN_SECONDS)
            await self.port.come_back()


async def test_a_task_that_takes_the_server_down_each_time_does_not_come_for_ever() -> None:
    ollama = Fragile("poison")
    async with stage(ollama) as world:
        ollama.port = world.port
        poison = await world.client.submit("asker", "poison", max_attempts=1)
        for n in range(3):
            await world.client.submit("asker", f"innocent {n}")
        results = {result.task_id: result for result in [await anext(world.results) for _ in range(4)]}
        assert results.pop(poison.id).status is TaskStatus.FAILED
        assert {result.status for result in results.values()} == {TaskStatus.COMPLETED}
        assert ollama.crashes > 1
        await asyncio.gather(*ollama.restarts)
