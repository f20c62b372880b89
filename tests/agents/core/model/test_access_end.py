"""What a thread asks for a task ends with the task, whatever ends that; the thread itself cannot be ended."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents import BaseAgentV2
from schemas import EventKind, TaskMessage, TaskStatus
from tests.support.agent_world import AgentWorld, agent_world
from tests.support.scripted_ollama import ScriptedOllama, held
from tests.support.waiting import wait_until


class Threaded(BaseAgentV2):
    """Asks in a thread, and once more where the first time was cancelled."""

    def __init__(self) -> None:
        super().__init__(name="worker")
        self.cancelled = 0

    async def process_task(self, task: TaskMessage) -> object:
        return await asyncio.to_thread(self.ask_twice, task["prompt"])

    def ask_twice(self, prompt: str) -> str:
        for _ in range(2):
            try:
                return self.query_ollama_sync(prompt)
            except CancelledError:
                self.cancelled += 1
        return "never heard"


class Deserting(Threaded):
    """Does not wait for its thread."""

    def __init__(self) -> None:
        super().__init__()
        self.may_leave = asyncio.Event()

    async def process_task(self, task: TaskMessage) -> object:
        self.left = asyncio.create_task(super().process_task(task), name="left behind")
        await self.may_leave.wait()
        return "done"


@asynccontextmanager
async def asking(agent: Threaded, **given: Any) -> AsyncIterator[AgentWorld]:
    """The thread of a task waits for an endless answer. The block ends the task; afterwards its slot has to be free."""
    ollama = ScriptedOllama()
    endless, body = held("Once upon")
    ollama.script.append(endless)
    async with agent_world(agent, ollama=ollama, max_ollama_connections=1, **given) as world, asyncio.timeout(20):
        yield world
        await body.closed.wait()
        await wait_until(lambda: world.host.pool.queue.active == 0, what="the free slot")
        await wait_until(lambda: agent.cancelled == 2, what="the refusal of the thread's second question")
    assert [body["prompt"] for body in ollama.asked("/api/generate")].count("Tell me") == 1


@pytest.mark.parametrize("status", [TaskStatus.CANCELLED, TaskStatus.EXPIRED])
async def test_the_end_of_a_task_ends_what_its_thread_asks(status: TaskStatus) -> None:
    async with asking(Threaded()) as world, world.client.results() as results:
        timeout = 1.0 if status is TaskStatus.EXPIRED else None
        task = await world.client.submit("worker", "Tell me", timeout=timeout)
        await world.ollama.arrivals(1)
        if status is TaskStatus.CANCELLED:
            await world.client.cancel(task.id)
        assert (await anext(results)).status is status


async def test_the_limit_of_an_attempt_ends_what_its_thread_asks() -> None:
    async with asking(Threaded(), task_timeout=0.4, retry_base=60) as world, world.client.events() as events:
        await world.client.submit("worker", "Tell me")
        retried = await anext(step async for step in events if step.kind is EventKind.RETRYING)
        assert retried.data["error"]["message"].endswith("not done within its limit of 0.4 s")


async def test_a_handler_that_returns_before_its_thread_ends_what_that_asks() -> None:
    agent = Deserting()
    async with asking(agent) as world, world.client.results() as results:
        await world.client.submit("worker", "Tell me")
        await world.ollama.arrivals(1)
        agent.may_leave.set()
        assert (await anext(results)).status is TaskStatus.COMPLETED
