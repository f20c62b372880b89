"""An outage of the model costs a task no attempt, and a task that takes the server down does not come for ever."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from agents.core.circuit_breaker import CircuitState
from agents.core.model.blame import FREE_OUTAGES
from agents.core.model.errors import (
    IncompleteStream,
    ModelCircuitOpen,
    ModelOverloaded,
    ModelPoolClosed,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
)
from agents.core.model.task_scope import TaskScope, task_scope
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import TaskMessage
from tests.support.pools import MakePool, a_task, bounded, patient, pool_maker, probes
from tests.support.scripted_fleet import ScriptedFleet
from tests.support.scripted_ollama import ScriptedOllama, refusal, streamed

GONE = httpx.ConnectError("refused")


def sick() -> httpx.Response:
    return refusal(500, "an error was encountered while running the model: unexpected EOF")


async def work(pool: OllamaConnectionPool, task: TaskMessage | None = None, *, stream: bool = False) -> str:
    async def hear(_: str) -> None:
        return

    with task_scope(TaskScope(task=task or a_task(), on_chunk=hear if stream else None)):
        return await pool.generate("work")


async def test_a_task_whose_server_answers_a_witness_has_used_an_attempt(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.extend([sick(), sick()])
    pool = make(max_retries=1, breaker=patient)
    with pytest.raises(ModelServerError):
        await work(pool)
    assert probes(server) == 1
    assert pool.breaker.state is CircuitState.CLOSED
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"]) == (1, 1)


async def test_a_task_whose_server_fails_a_witness_too_has_met_an_outage_which_opens_the_circuit(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.extend([sick(), sick()])
    pool = make(max_retries=0, breaker=patient)
    with pytest.raises(ModelCircuitOpen, match="not for this task alone") as caught:
        await work(pool)
    assert pool.breaker.state is CircuitState.OPEN
    assert caught.value.retry_after == pytest.approx(60, abs=5)
    assert isinstance(caught.value.__cause__, ModelServerError)


async def test_a_timeout_of_a_server_that_hangs_costs_no_attempt(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(timeouts=ModelTimeouts(load=0.02, total=30), breaker=patient)
    with pytest.raises(ModelCircuitOpen):
        await bounded(work(pool))
    assert probes(server) == 1
    assert pool.breaker.state is CircuitState.OPEN


async def test_a_timeout_of_a_task_alone_costs_an_attempt(make: MakePool, server: ScriptedOllama) -> None:
    hold = asyncio.Event()
    server.script.append(streamed({"response": "and so on", "done": False}, hold=hold))
    pool = make(timeouts=ModelTimeouts(total=0.05), breaker=patient)
    with pytest.raises(ModelTimeout, match="did not finish"):
        await bounded(work(pool))
    assert pool.breaker.state is CircuitState.CLOSED


async def test_a_program_without_a_task_hears_the_failure_itself_and_sends_no_witness(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.append(sick())
    with pytest.raises(ModelServerError):
        await make(max_retries=0).generate("Hi")
    assert probes(server) == 0


@pytest.mark.parametrize("error", [refusal(503, "server busy"), refusal(404, "model 'tinyllama' not found")])
async def test_a_witness_that_is_refused_proves_that_the_server_lives(
    make: MakePool, server: ScriptedOllama, error: httpx.Response
) -> None:
    server.script.extend([sick(), error])
    pool = make(max_retries=0, breaker=patient)
    with pytest.raises(ModelServerError):
        await work(pool)
    assert pool.breaker.state is CircuitState.CLOSED


async def test_a_broken_answer_and_then_nobody_there_is_an_outage_without_a_witness(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.extend([sick(), GONE])
    with pytest.raises(ModelCircuitOpen):
        await work(make(max_retries=1, breaker=patient))
    assert probes(server) == 0


async def test_a_streamed_answer_that_the_outage_broke_off_costs_no_attempt(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.extend([streamed({"response": "half", "done": False}), GONE])
    with pytest.raises(ModelCircuitOpen):
        await work(make(breaker=patient), stream=True)


async def test_a_streamed_answer_that_broke_off_alone_costs_one(make: MakePool, server: ScriptedOllama) -> None:
    server.script.append(streamed({"response": "half", "done": False}))
    with pytest.raises(IncompleteStream):
        await work(make(breaker=patient), stream=True)


async def test_nobody_there_from_the_start_stays_what_it_is(make: MakePool, server: ScriptedOllama) -> None:
    server.script.append(GONE)
    with pytest.raises(ModelUnreachable):
        await work(make(max_retries=0, breaker=patient))
    assert probes(server) == 0


async def test_a_circuit_that_opens_while_a_task_waits_to_try_again_is_judged_alike(
    server: ScriptedOllama,
) -> None:
    async def open_instead(_: float) -> None:
        await pool.breaker.force_open()

    async with OllamaConnectionPool(
        "http://ollama", transport=server.transport, sleep=open_instead, breaker=patient
    ) as pool:
        server.script.extend([sick(), sick()])
        with pytest.raises(ModelCircuitOpen, match="not for this task alone"):
            await work(pool)
        assert probes(server) == 1
        await pool.breaker.reset()
        server.script.extend([sick()])
        with pytest.raises(ModelServerError):
            await work(pool)
        await pool.breaker.reset()
        server.script.extend([refusal(503, "server busy")])
        with pytest.raises(ModelCircuitOpen, match="nothing was sent"):
            await work(pool)
        assert probes(server) == 2


async def test_overload_is_no_outage(make: MakePool, server: ScriptedOllama) -> None:
    server.script.extend([sick(), refusal(503, "server busy")])
    with pytest.raises(ModelOverloaded):
        await work(make(max_retries=1, breaker=patient))
    assert probes(server) == 0


async def test_a_task_that_takes_the_server_down_each_time_is_excused_three_times_and_no_more(
    make: MakePool, server: ScriptedOllama
) -> None:
    pool, poison = make(max_retries=1, breaker=patient), a_task("poison")
    for _ in range(FREE_OUTAGES):
        server.script.extend([sick(), GONE])
        with pytest.raises(ModelCircuitOpen):
            await work(pool, poison)
    server.script.extend([sick(), GONE])
    with pytest.raises(ModelServerError):
        await work(pool, poison)
    server.script.extend([sick(), GONE])
    with pytest.raises(ModelCircuitOpen):
        await work(pool)  # another task


async def test_the_witness_asks_for_the_model_that_generated_last_so_that_a_broken_one_is_no_outage(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.installed = ["good:latest", "tinyllama:latest", "all-minilm:latest"]
    pool = make(max_retries=0, breaker=patient)
    await pool.generate("Hi", model="good")
    await pool.embeddings("text", model="all-minilm")
    server.script.append(sick())
    with pytest.raises(ModelServerError):
        await work(pool)
    assert [body["model"] for body in server.asked("/api/generate")] == [
        "good:latest",
        "tinyllama:latest",
        "good:latest",
    ]


async def test_one_witness_speaks_for_all_tasks_that_failed_at_once(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=2, max_retries=0, breaker=patient)
    server.script.extend([sick(), sick(), sick()])
    tasks = [asyncio.create_task(work(pool), name=f"task-{n}") for n in range(2)]
    await server.arrivals(2)
    server.gate.set()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ModelCircuitOpen, ModelCircuitOpen]
    assert probes(server) == 1


async def test_a_probe_that_failed_since_the_try_began_is_evidence_enough(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1, max_retries=0, breaker=patient)
    server.script.append(sick())
    task = asyncio.create_task(work(pool), name="task")
    await server.arrivals(1)
    pool.servers.first.vitals.failed_at = float("inf")  # as a probe notes it
    server.gate.set()
    with pytest.raises(ModelCircuitOpen):
        await bounded(task)
    assert probes(server) == 0


async def test_a_pool_that_closes_during_the_witness_hands_the_task_back(
    make: MakePool, server: ScriptedOllama
) -> None:
    pool = make(max_retries=0, breaker=patient)
    server.script.append(sick())
    server.gate = asyncio.Event()
    task = asyncio.create_task(work(pool), name="task")
    await server.arrivals(1)
    server.gate.set()
    server.gate = asyncio.Event()  # for the witness
    await server.arrivals(1)
    await pool.close()
    assert [left for left in asyncio.all_tasks() if left.get_name().startswith("model-witness")] == []
    with pytest.raises(ModelPoolClosed):
        await bounded(task)


@pytest.fixture
async def twins(naps: list[float]) -> AsyncIterator[tuple[ScriptedFleet, MakePool]]:
    fleet = ScriptedFleet()
    async with pool_maker(fleet, naps) as build:
        yield fleet, build


async def test_an_outage_of_one_server_sends_its_task_to_the_other(twins: tuple[ScriptedFleet, MakePool]) -> None:
    fleet, build = twins
    fleet["a"].script.extend([sick(), sick()])
    pool = build(max_retries=0, breaker=patient)
    assert await work(pool) == "ok"
    assert [server.breaker.state for server in pool.servers] == [CircuitState.OPEN, CircuitState.CLOSED]


async def test_a_stream_that_an_outage_of_one_server_broke_off_is_handed_back(
    twins: tuple[ScriptedFleet, MakePool],
) -> None:
    fleet, build = twins
    fleet["a"].script.extend([streamed({"response": "half", "done": False}), GONE])
    with pytest.raises(ModelCircuitOpen) as caught:
        await work(build(max_retries=0, breaker=patient), stream=True)
    assert caught.value.retry_after == 0
    assert fleet.prompts("b") == []
