"""A cancelled request frees the slot of a real model server, which tells so itself."""

import asyncio

from agents import Host
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.model.requests import GenerateRequest
from agents.core.ollama_client import OllamaClient
from agents.local_model import LocalModelServer
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import connected_client, settings_for
from tests.support.waiting import wait_until

MODEL = "smollm2:135m"
LONG = {"type": "array", "items": {"type": "integer"}, "minItems": 1000}
"""What no small model writes to its end in less than a dozen seconds."""
SOON = 5.0
"""Seconds. The slot is free after some 10 ms on an idle machine; left alone, the answer would go on for longer."""


async def is_busy(server: OllamaClient) -> bool:
    """Whether a request holds the model: its expiry in /api/ps moves on with the clock; an idle one's stands still."""
    first, second = [{model["name"]: model["expires_at"] for model in await server.ps()} for _ in range(2)]
    return first != second


async def is_free(server: OllamaClient) -> bool:
    return not await is_busy(server)


async def test_cancelling_an_answer_frees_the_servers_slot(model_server: LocalModelServer) -> None:
    request = GenerateRequest(model=MODEL, prompt="Count.", format=LONG, options={"num_predict": 1900})
    begun = asyncio.Event()

    async def hear(_: str) -> None:
        begun.set()

    async with OllamaClient(model_server.url) as client, OllamaClient(model_server.url) as watching:
        task = asyncio.create_task(client.complete(request, hear), name="asking")
        async with asyncio.timeout(30):
            await begun.wait()
        assert await is_busy(watching)
        task.cancel()
        await asyncio.wait([task])
        await wait_until(lambda: is_free(watching), SOON, what="the slot of the model server")
        short = GenerateRequest(model=MODEL, prompt="Hi", options={"num_predict": 1})
        assert (await client.complete(short)).usage.tokens_out == 1


async def test_cancelling_before_the_first_token_frees_the_servers_slot(model_server: LocalModelServer) -> None:
    long_to_read = " ".join(f"word{number}" for number in range(500))
    request = GenerateRequest(model=MODEL, prompt=long_to_read, format=LONG, options={"num_predict": 1900})
    async with OllamaClient(model_server.url) as client, OllamaClient(model_server.url) as watching:
        await client.preload(MODEL)
        task = asyncio.create_task(client.complete(request), name="asking")
        await wait_until(lambda: is_busy(watching), 30, what="the request at the model server")
        task.cancel()
        await asyncio.wait([task])
        await wait_until(lambda: is_free(watching), SOON, what="the slot of the model server")


class Counter(BaseAgentV2):
    """Asks for an answer without an end."""

    async def process_task(self, task: TaskMessage) -> str:
        return await self.query_ollama(task.prompt or "", model=MODEL, format=LONG, num_predict=1900)


async def test_cancelling_a_running_task_frees_the_servers_slot(vhost_url: str, model_server: LocalModelServer) -> None:
    settings = settings_for(vhost_url, ollama_url=model_server.url)
    async with (
        Host([Counter(name="counter")], settings),
        connected_client(settings) as client,
        client.results() as results,
        OllamaClient(model_server.url) as watching,
        asyncio.timeout(50),
    ):
        task = await client.submit("counter", "Count.")
        await wait_until(lambda: is_busy(watching), 30, what="the task's request at the model server")
        await client.cancel(task.id, reason="nobody reads that")
        await wait_until(lambda: is_free(watching), SOON, what="the slot of the model server")
        result = await anext(results)
    assert (result.task_id, result.status) == (task.id, TaskStatus.CANCELLED)
