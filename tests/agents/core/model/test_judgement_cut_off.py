"""A call that a limit of its task cut off is judged like one that failed: was it the server, or the task?"""

import asyncio

import pytest

from agents.core.circuit_breaker import CircuitState
from agents.core.model.blame import FREE_OUTAGES
from agents.core.model.errors import BadModelRequest
from agents.core.model.task_scope import TaskScope, task_scope
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import TaskMessage
from tests.support.pools import MakePool, a_task, bounded, patient, probes
from tests.support.scripted_ollama import ScriptedOllama, refusal


async def cut_off(pool: OllamaConnectionPool, server: ScriptedOllama, task: TaskMessage) -> TaskScope:
    """Cancel the work on a task while it is at the server, and return its scope."""
    scope = TaskScope(task=task)
    with task_scope(scope):
        work = asyncio.create_task(pool.generate("work"), name="work")
    await server.arrivals(1)
    work.cancel()
    await asyncio.wait([work])
    return scope


async def test_a_task_that_is_cut_off_at_a_wedged_server_each_time_is_excused_three_times_and_no_more(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    pool, task = make(timeouts=ModelTimeouts(load=0.02, total=30), breaker=patient), a_task()
    for verdict in [True] * FREE_OUTAGES + [False]:
        scope = await cut_off(pool, server, task)
        assert await scope.met_outage() is verdict
        assert pool.breaker.state is CircuitState.OPEN
        await server.arrivals(1)  # the witness
        await pool.breaker.reset()


async def test_a_task_that_is_cut_off_at_a_server_that_generates_has_met_no_outage(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    pool = make(breaker=patient)
    scope = await cut_off(pool, server, a_task())
    server.gate.set()
    assert await scope.met_outage() is False
    assert probes(server) == 1
    assert pool.breaker.state is CircuitState.CLOSED


async def test_a_task_that_is_cut_off_before_it_had_a_slot_says_nothing_of_the_server(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1, breaker=patient)
    first = asyncio.create_task(pool.generate("first"), name="first")
    await server.arrivals(1)
    scope = TaskScope(task=a_task())
    with task_scope(scope):
        second = asyncio.create_task(pool.generate("second"), name="second")
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    assert await scope.met_outage() is False
    server.gate.set()
    await bounded(first)
    assert probes(server) == 0


async def test_a_call_that_was_answered_or_has_failed_is_not_judged_again(
    make: MakePool, server: ScriptedOllama
) -> None:
    pool = make(breaker=patient, max_retries=0)
    with task_scope(TaskScope(task=a_task())) as scope:
        await pool.generate("Hi")
        server.script.append(refusal(400, "bad"))
        with pytest.raises(BadModelRequest):
            await pool.generate("Hi")
    assert await scope.met_outage() is False
    assert probes(server) == 0
