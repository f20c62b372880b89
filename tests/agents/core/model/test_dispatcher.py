"""Order, breaker and shared queue, seen through the pool."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import (
    ModelCircuitOpen,
    ModelNotFound,
    ModelOverloaded,
    ModelPoolClosed,
    ModelServerError,
    ModelServerFault,
    ModelTimeout,
)
from agents.core.model.requests import GenerateRequest
from agents.core.model.task_scope import TaskScope, task_scope
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestCancelledError, RequestQueue
from bus.errors import PermanentError
from schemas import Priority
from tests.support.clock import FakeClock
from tests.support.pools import bounded
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal


@pytest.fixture
def server() -> ScriptedOllama:
    server = ScriptedOllama()
    server.installed = ["tinyllama:latest", "a:latest", "b:latest"]
    return server


@pytest.fixture
async def pool(server: ScriptedOllama, clock: FakeClock) -> AsyncIterator[OllamaConnectionPool]:
    """One slot, no retries, and a breaker that opens at the second failure for 60 s."""
    breaker = CircuitBreaker(2, 60.0, ModelServerFault, clock=clock)
    async with OllamaConnectionPool(
        "http://ollama", 1, max_retries=0, breaker=breaker, transport=server.transport
    ) as pool:
        yield pool


def prompts(server: ScriptedOllama) -> list[str]:
    return [body["prompt"] for body in server.asked("/api/generate")]


async def occupied(pool: OllamaConnectionPool, server: ScriptedOllama, model: str = "a") -> asyncio.Task[str]:
    """Start a request that holds the only slot until the gate opens."""
    server.gate = asyncio.Event()
    task = asyncio.create_task(pool.generate("first", model=model), name="first")
    await server.arrivals(1)
    return task


async def test_a_tasks_priority_holds_up_to_the_slot(pool: OllamaConnectionPool, server: ScriptedOllama) -> None:
    async def work(prompt: str, priority: int) -> str:
        with task_scope(TaskScope(priority=priority)):
            return await pool.generate(prompt, model="a")

    first = await occupied(pool, server)
    low, high = work("low", Priority.LOW), work("high", Priority.CRITICAL)
    normal = pool.complete(GenerateRequest(prompt="normal", model="a"), priority=Priority.NORMAL)
    tasks = [asyncio.create_task(work, name="work") for work in (low, normal, high)]
    await asyncio.sleep(0)
    assert server.gate is not None
    server.gate.set()
    await bounded(first, *tasks)
    assert prompts(server) == ["first", "high", "normal", "low"]


async def test_requests_for_the_loaded_model_go_before_others_of_their_priority(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    first = await occupied(pool, server, model="a")
    tasks = [
        asyncio.create_task(pool.generate(f"{model}{n}", model=model), name="work") for n in (1, 2) for model in "ba"
    ]
    await asyncio.sleep(0)
    assert server.gate is not None
    server.gate.set()
    await bounded(first, *tasks)
    assert prompts(server) == ["first", "a1", "a2", "b1", "b2"]


async def test_failures_of_the_server_open_the_breaker_and_nothing_more_is_sent(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    server.script.extend([refusal(500, "no"), refusal(500, "no")])
    for _ in range(2):
        with pytest.raises(ModelServerError):
            await pool.generate("Hi")
    with pytest.raises(ModelCircuitOpen, match=r"^nothing was sent: failing since .* UTC: .*\bno\b") as caught:
        await pool.generate("Hi")
    assert caught.value.retry_after == pytest.approx(60.0)
    assert len(server.asked("/api/generate")) == 2
    assert pool.breaker.get_stats()["rejected_requests"] == 1


async def test_a_circuit_that_was_opened_by_hand_is_all_that_can_be_told(pool: OllamaConnectionPool) -> None:
    await pool.breaker.force_open()
    with pytest.raises(ModelCircuitOpen, match=r"^nothing was sent: circuit .* rejects calls"):
        await pool.generate("Hi")


async def test_an_open_breaker_answers_at_once_even_if_all_slots_are_taken(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    first = await occupied(pool, server)
    await pool.breaker.force_open()
    with pytest.raises(ModelCircuitOpen):
        await bounded(pool.generate("Hi"))
    assert server.gate is not None
    server.gate.set()
    assert await bounded(first) == ["ok"]


async def test_requests_that_waited_while_the_breaker_opened_are_not_sent(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    first = await occupied(pool, server)
    waiting = asyncio.create_task(pool.generate("waiting"), name="waiting")
    await asyncio.sleep(0)
    await pool.breaker.force_open()
    assert server.gate is not None
    server.gate.set()
    await bounded(first)
    with pytest.raises(ModelCircuitOpen):
        await bounded(waiting)
    assert prompts(server) == ["first"]


@pytest.mark.parametrize("refused", [refusal(400, "bad prompt"), refusal(404, "model 'a' not found")])
async def test_bad_prompts_and_missing_models_never_open_the_breaker(
    pool: OllamaConnectionPool, server: ScriptedOllama, refused: httpx.Response
) -> None:
    server.pull_lines = [{"error": "file does not exist"}]
    for _ in range(5):
        server.script.append(httpx.Response(refused.status_code, content=refused.content))
        with pytest.raises(PermanentError):
            await pool.generate("Hi", model="a")
    assert pool.breaker.state is CircuitState.CLOSED


async def test_a_request_whose_own_tries_open_the_breaker_keeps_its_own_failure(server: ScriptedOllama) -> None:
    async def nap(_: float) -> None:
        return

    breaker = CircuitBreaker(2, 60.0, ModelServerFault)
    server.script.extend([refusal(500, "poison"), refusal(500, "poison")])
    pool = OllamaConnectionPool("http://ollama", breaker=breaker, transport=server.transport, sleep=nap)
    with pytest.raises(ModelServerError, match="poison"):
        await pool.generate("Hi")
    assert breaker.state is CircuitState.OPEN
    await pool.close()


async def test_a_try_that_hangs_beyond_its_timeouts_is_ended(
    server: ScriptedOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.core.model.tries.BACKSTOP_SECONDS", 0.01)
    server.gate = asyncio.Event()
    patient = ModelTimeouts(load=60, total=60)
    pool = OllamaConnectionPool(
        "http://ollama",
        1,
        request_timeout=0.01,
        client_factory=lambda url: OllamaClient(url, timeouts=patient, transport=server.transport),
    )
    with pytest.raises(ModelTimeout, match="hung beyond its timeouts"):
        await pool.generate("Hi")
    assert pool.queue.active == 0
    await pool.close()


async def test_a_probe_generates_one_token_and_closes_the_breaker(
    pool: OllamaConnectionPool, server: ScriptedOllama, clock: FakeClock
) -> None:
    await pool.breaker.force_open()
    with pytest.raises(ModelCircuitOpen):
        await pool.probe()
    clock.now = 60.0
    server.script.append(answer("x", done_reason="length"))
    assert (await pool.probe()).text == "x"
    assert pool.breaker.state is CircuitState.CLOSED
    assert server.asked("/api/generate") == [
        {"stream": True, "model": "tinyllama:latest", "prompt": "Hi", "options": {"num_predict": 1}}
    ]


async def test_a_probe_that_fails_raises_and_opens_the_breaker_again(
    pool: OllamaConnectionPool, server: ScriptedOllama, clock: FakeClock
) -> None:
    await pool.breaker.force_open()
    clock.now = 60.0
    server.script.append(refusal(500, "still no"))
    with pytest.raises(ModelServerError, match="still no"):
        await pool.probe()
    assert pool.breaker.state is CircuitState.OPEN


async def test_a_probe_pulls_nothing_and_leaves_the_breaker_to_the_next_request(
    pool: OllamaConnectionPool, server: ScriptedOllama, clock: FakeClock
) -> None:
    server.installed = ["a:latest"]
    await pool.breaker.force_open()
    clock.now = 60.0
    with pytest.raises(ModelNotFound):
        await pool.probe()
    assert server.asked("/api/pull") == []
    assert pool.breaker.state is CircuitState.HALF_OPEN
    assert await pool.generate("Hi", model="a") == "ok"
    assert pool.breaker.get_stats()["state"] == "closed"


async def test_a_probe_goes_before_all_that_waits(pool: OllamaConnectionPool, server: ScriptedOllama) -> None:
    first = await occupied(pool, server)
    waiting = asyncio.create_task(pool.generate("waiting", model="a"), name="waiting")
    await asyncio.sleep(0)
    probe = asyncio.create_task(pool.probe("a"), name="probe")
    await asyncio.sleep(0)
    assert server.gate is not None
    server.gate.set()
    await bounded(first, waiting, probe)
    assert prompts(server) == ["first", "Hi", "waiting"]


async def test_a_probe_stays_in_the_lane_of_the_last_answer_unless_told_otherwise(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    await pool.generate("Hi", model="a", num_ctx=512)
    await pool.embeddings("a text", model="b")
    await pool.probe()
    await pool.probe("b")
    _, loaded, told = server.asked("/api/generate")
    assert (loaded["model"], loaded["options"]) == ("a:latest", {"num_ctx": 512, "num_predict": 1})
    assert told["model"] == "b:latest"


async def test_a_full_queue_is_overload_that_may_be_tried_later(server: ScriptedOllama) -> None:
    async with (
        RequestQueue(max_queue_size=1, max_concurrent=1) as queue,
        OllamaConnectionPool("http://ollama", 1, queue=queue, transport=server.transport, max_retries=0) as pool,
    ):
        first = await occupied(pool, server)
        second = asyncio.create_task(pool.generate("second"), name="second")
        await asyncio.sleep(0)
        with pytest.raises(ModelOverloaded, match="max_queue_size=1"):
            await pool.generate("third")
        assert server.gate is not None
        server.gate.set()
        assert await bounded(first, second) == ["ok", "ok"]


async def test_closing_the_pool_leaves_a_queue_of_ones_own_open(server: ScriptedOllama) -> None:
    async with RequestQueue(max_concurrent=1) as queue:
        pool = OllamaConnectionPool("http://ollama", 1, queue=queue, transport=server.transport)
        first = await occupied(pool, server)
        await pool.close()
        with pytest.raises(ModelPoolClosed):
            await bounded(first)

        async def mine() -> str:
            return "mine"

        assert await bounded(queue.submit_and_wait(mine)) == ["mine"]


async def test_a_queue_that_somebody_else_closed_is_a_closed_pool(server: ScriptedOllama) -> None:
    queue = RequestQueue()
    await queue.close()
    async with OllamaConnectionPool("http://ollama", queue=queue, transport=server.transport) as pool:
        with pytest.raises(ModelPoolClosed):
            await pool.generate("Hi")


async def test_a_request_cancelled_in_the_queue_itself_says_so(
    pool: OllamaConnectionPool, server: ScriptedOllama
) -> None:
    first = await occupied(pool, server)
    waiting = asyncio.create_task(pool.generate("waiting"), name="waiting")
    await asyncio.sleep(0)
    await pool.queue.clear_queue()
    with pytest.raises(RequestCancelledError):
        await bounded(waiting)
    assert server.gate is not None
    server.gate.set()
    await bounded(first)


async def test_probes_and_those_that_are_put_off_are_no_requests(
    pool: OllamaConnectionPool, server: ScriptedOllama, clock: FakeClock
) -> None:
    await pool.breaker.force_open()
    with pytest.raises(ModelCircuitOpen):
        await pool.probe()
    clock.now = 60.0
    server.script.extend([refusal(500, "still no"), answer("x")])
    with pytest.raises(ModelServerError):
        await pool.probe()
    clock.now = 1000.0
    await pool.probe()
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (0, 0, 1.0)
    assert stats["servers"]["http://ollama"]["total_requests"] == 0


async def test_a_try_that_failed_takes_its_old_place_in_the_line(server: ScriptedOllama) -> None:
    napping, go_on = asyncio.Event(), asyncio.Event()

    async def nap(_: float) -> None:
        napping.set()
        await go_on.wait()

    async with OllamaConnectionPool("http://ollama", 1, transport=server.transport, sleep=nap) as pool:
        server.script.append(refusal(500, "no"))
        failing = asyncio.create_task(pool.generate("failed", model="a"), name="failing")
        await bounded(napping.wait())
        first = await occupied(pool, server)
        later = asyncio.create_task(pool.generate("later", model="a"), name="later")
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.sleep(0)
        assert server.gate is not None
        server.gate.set()
        await bounded(first, failing, later)
    assert prompts(server) == ["failed", "first", "failed", "later"]
