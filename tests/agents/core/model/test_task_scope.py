import asyncio
from contextvars import Context

import pytest

from agents.core.model.task_scope import TaskScope, current_priority, current_scope, task_scope, unheard
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import Priority, Usage
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


def test_outside_any_task_the_priority_is_normal() -> None:
    assert current_scope() is None
    assert current_priority() == Priority.NORMAL


def test_a_scope_holds_for_its_block_alone() -> None:
    with task_scope(TaskScope(priority=Priority.HIGH)) as outer:
        with task_scope(TaskScope(priority=0)):
            assert current_priority() == 0
        assert current_scope() is outer
        assert current_priority() == Priority.HIGH
    assert current_scope() is None


def test_who_has_asked_another_agent_does_not_merely_wait_for_a_slot() -> None:
    scope = TaskScope(asked=True)
    assert scope.is_waiting()
    scope.delegated["question"] += 1
    assert not scope.is_waiting()


async def test_tasks_started_in_the_block_share_its_scope() -> None:
    async def work() -> None:
        scope = current_scope()
        assert scope is not None
        scope.add(Usage(tokens_out=2, model_calls=1))

    with task_scope(TaskScope()) as scope:
        await asyncio.gather(work(), work())
    assert (scope.usage.tokens_out, scope.usage.model_calls) == (4, 2)


async def test_unheard_text_is_nobodys_but_its_cost_is_the_tasks() -> None:
    async def hear(_text: str) -> None:
        return

    with task_scope(TaskScope(priority=7, on_chunk=hear)) as scope:
        with unheard():
            inner = current_scope()
            assert inner is not None
            assert (inner.on_chunk, inner.priority) == (None, 7)
            inner.add(Usage(tokens_out=2))
        assert current_scope() is scope
    assert scope.usage.tokens_out == 2


def test_outside_any_task_there_is_nobody_to_hear() -> None:
    with unheard():
        assert current_scope() is None


async def test_two_tasks_at_once_keep_their_scopes_apart() -> None:
    both = asyncio.Barrier(2)

    async def work(priority: int) -> int:
        with task_scope(TaskScope(priority=priority)):
            await both.wait()
            return current_priority()

    assert tuple(await asyncio.gather(work(1), work(9))) == (1, 9)


@pytest.mark.parametrize(
    ("asked", "served", "waits"), [(False, False, False), (True, False, True), (True, True, False)]
)
def test_only_what_has_asked_and_was_never_served_is_waiting(*, asked: bool, served: bool, waits: bool) -> None:
    assert TaskScope(asked=asked, served=served).is_waiting() is waits


async def test_a_scope_waits_from_its_first_request_to_its_first_slot() -> None:
    server = ScriptedOllama()
    server.gate = asyncio.Event()
    async with OllamaConnectionPool("http://ollama", 1, transport=server.transport) as pool, asyncio.timeout(10):
        with task_scope(TaskScope()) as first:
            assert not first.is_waiting()
            holding = asyncio.create_task(pool.generate("first"), name="first")
        await server.arrivals(1)
        with task_scope(TaskScope()) as second:
            waiting = asyncio.create_task(pool.generate("second"), name="second")
        await wait_until(lambda: pool.queue.waiting == 1, what="the second request at the slot")
        assert (first.is_waiting(), second.is_waiting()) == (False, True)
        server.gate.set()
        await asyncio.gather(holding, waiting)
        assert not second.is_waiting()


async def test_a_scope_that_was_served_once_does_not_wait_again() -> None:
    server = ScriptedOllama()
    async with OllamaConnectionPool("http://ollama", 1, transport=server.transport) as pool, asyncio.timeout(10):
        with task_scope(TaskScope()) as scope:
            await pool.generate("first")
            server.gate = asyncio.Event()
            other = asyncio.create_task(pool.generate("of another"), name="other", context=Context())
            await server.arrivals(2)
            again = asyncio.create_task(pool.generate("second"), name="second")
        await wait_until(lambda: pool.queue.waiting == 1, what="the second request at the slot")
        assert not scope.is_waiting()
        server.gate.set()
        await asyncio.gather(other, again)
