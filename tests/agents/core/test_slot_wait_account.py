"""Every wait for a slot is in the task's account, once, however its request ends; and so is who was asked."""

import asyncio
from contextvars import Context
from typing import Any

import httpx
import pytest

from agents.core.model.errors import BadModelRequest
from agents.core.model.requests import GenerateRequest
from agents.core.model.task_scope import TaskScope, task_scope
from schemas import TaskResult, TaskStatus
from tests.support.agent_world import Asker, agent_world
from tests.support.clock import FakeClock
from tests.support.pools import MakePool
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal
from tests.support.waiting import wait_until


class Line:
    """A pool with one slot that is taken until `gate` opens, and a request that waits for it."""

    def __init__(self, make: MakePool, server: ScriptedOllama, clock: FakeClock, **given: Any) -> None:
        self.pool = make(max_connections=1, clock=clock, **given)
        self.server = server
        self.scope = TaskScope()

    async def take_slot(self) -> asyncio.Task[str]:
        """Take the slot until the server's gate opens."""
        self.server.gate = asyncio.Event()
        holder = asyncio.create_task(self.pool.generate("held"), name="holder", context=Context())
        await self.server.arrivals(1)
        return holder

    async def wait_for_slot(self) -> asyncio.Task[Any]:
        """Have the task's request wait."""
        with task_scope(self.scope):
            waiting = asyncio.create_task(self.pool.complete(GenerateRequest(prompt="Hi")), name="waiting")
        await wait_until(lambda: self.pool.queue.waiting == 1, what="the request at the slot")
        return waiting

    def free_slot(self) -> None:
        """Let the holder have its answer."""
        assert self.server.gate is not None
        self.server.gate.set()

    @property
    def account(self) -> tuple[float, int, str | None, str | None]:
        """Seconds of waiting, answers, and who was asked last."""
        spent = self.scope.spent
        return spent.usage.slot_wait, spent.usage.model_calls, spent.model, spent.server


async def test_the_wait_of_a_request_that_the_server_refuses_counts_with_who_refused(
    make: MakePool, server: ScriptedOllama, clock: FakeClock
) -> None:
    line = Line(make, server, clock)
    async with asyncio.timeout(10):
        holder, waiting = await line.take_slot(), await line.wait_for_slot()
        server.script += [answer("x"), refusal(400, "invalid options")]
        clock.now = 5.0
        line.free_slot()
        with pytest.raises(BadModelRequest):
            await waiting
        await holder
    assert line.account == (5.0, 0, "tinyllama:latest", "http://ollama")


async def test_a_wait_that_is_cancelled_counts_and_nobody_was_asked(
    make: MakePool, server: ScriptedOllama, clock: FakeClock
) -> None:
    line = Line(make, server, clock)
    async with asyncio.timeout(10):
        holder, waiting = await line.take_slot(), await line.wait_for_slot()
        clock.now = 5.0
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        line.free_slot()
        await holder
    assert line.account == (5.0, 0, None, None)


async def test_each_wait_of_a_request_that_is_tried_again_counts_once(
    make: MakePool, server: ScriptedOllama, clock: FakeClock
) -> None:
    holders: list[asyncio.Task[str]] = []

    async def between_tries(_seconds: float) -> None:
        await server.arrivals(1)  # that of the try that has just failed
        holders.append(await line.take_slot())

    line = Line(make, server, clock, sleep=between_tries)
    async with asyncio.timeout(10):
        holders.append(await line.take_slot())
        waiting = await line.wait_for_slot()
        server.script += [answer("x"), httpx.ConnectError("gone"), answer("x"), answer("ok")]
        clock.now = 5.0
        line.free_slot()
        await wait_until(lambda: len(holders) == 2 and line.pool.queue.waiting == 1, what="the second wait")
        clock.now = 8.0
        line.free_slot()
        completion = await waiting
        await asyncio.gather(*holders)
    assert completion.usage.slot_wait == 8.0
    assert line.account == (8.0, 1, "tinyllama:latest", "http://ollama")


async def ended_while_waiting(timeout: float | None = None) -> TaskResult:
    """Return the result of a task that expires while another one holds the only slot; without `timeout` cancel it."""
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    async with (
        agent_world(Asker(name="slow"), Asker(name="fast"), ollama=ollama, max_ollama_connections=1) as world,
        world.client.results(agent="fast") as results,
        asyncio.timeout(20),
    ):
        await world.client.submit("slow", "a long story")
        await ollama.arrivals(1)
        task = await world.client.submit("fast", "Hi", timeout=timeout)
        await wait_until(lambda: world.host.pool.queue.waiting == 1, what="the second task at the slot")
        if timeout is None:
            await world.client.cancel(task.id)
        result = await anext(results)
        ollama.gate.set()
    return result


async def test_a_task_cancelled_while_it_waits_tells_how_long_it_waited() -> None:
    result = await ended_while_waiting()
    assert result.status is TaskStatus.CANCELLED
    assert result.usage is not None
    assert 0 < result.usage.slot_wait < result.processing_time + 0.1
    assert (result.usage.model_calls, result.model, result.server) == (0, None, None)


async def test_a_task_that_expires_while_it_waits_tells_how_long_it_waited() -> None:
    result = await ended_while_waiting(timeout=1.5)
    assert result.status is TaskStatus.EXPIRED
    assert result.usage is not None
    assert 0 < result.usage.slot_wait < result.processing_time + 0.1


async def test_a_task_that_the_server_refuses_tells_which_model_and_server() -> None:
    ollama = ScriptedOllama()
    ollama.script.append(refusal(400, "invalid options"))
    async with agent_world(Asker(name="worker"), ollama=ollama) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert result.status is TaskStatus.FAILED
    assert (result.model, result.server) == ("tinyllama:latest", "http://scripted")
