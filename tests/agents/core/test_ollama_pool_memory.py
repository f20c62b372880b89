"""Which models may run side by side at one server: those that it holds in memory together."""

import asyncio
from typing import Any, ClassVar

import httpx
import pytest
import structlog

from agents.core.model.completion import Completion
from agents.core.model.errors import ModelTimeout
from agents.core.model.requests import ModelRequest
from agents.core.model.task_scope import OnChunk
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.clock import FakeClock
from tests.support.pools import MakePool, bounded
from tests.support.scripted_ollama import ScriptedOllama, refusal
from tests.support.waiting import wait_until


def resident(*names: str, **more: object) -> list[dict[str, Any]]:
    """What /api/ps tells of these models."""
    return [{"name": name, "model": name, "context_length": 4096, **more} for name in names]


@pytest.fixture
def server() -> ScriptedOllama:
    server = ScriptedOllama()
    server.installed = ["a:latest", "b:latest", "c:latest"]
    server.loaded = resident("a:latest", "b:latest")
    return server


def looks(server: ScriptedOllama) -> int:
    return len(server.asked("/api/ps"))


async def begun(pool: OllamaConnectionPool, *models: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(pool.generate("Hi", model=model), name=model) for model in models]
    await asyncio.sleep(0)
    return tasks


def running_lanes(pool: OllamaConnectionPool) -> list[str]:
    lanes: list[str] = pool.queue.get_stats()["servers"]["http://ollama"]["running_lanes"]
    return lanes


def loaded_lanes(pool: OllamaConnectionPool) -> list[str]:
    lanes: list[str] = pool.queue.get_stats()["servers"]["http://ollama"]["loaded_lanes"]
    return lanes


async def test_one_model_is_in_flight_until_more_are_known_to_fit(make: MakePool, server: ScriptedOllama) -> None:
    pool = make(max_connections=2)
    server.gate = asyncio.Event()
    tasks = await begun(pool, "a", "b")
    await server.arrivals(1)
    assert running_lanes(pool) == ["a:latest"]
    server.gate.set()
    await bounded(*tasks)
    assert looks(server) == 0


async def test_models_that_are_in_memory_together_run_side_by_side(make: MakePool, server: ScriptedOllama) -> None:
    pool = make(max_connections=2, lanes_in_flight=1)
    await pool.generate("Hi", model="b")
    server.gate = asyncio.Event()
    first, second = await begun(pool, "a", "b")
    await server.arrivals(2)  # that of the warm-up, and a
    assert running_lanes(pool) == ["a:latest"]
    third = (await begun(pool, "b"))[0]
    server.gate.set()
    await bounded(first, second, third)
    assert looks(server) == 1
    server.gate = asyncio.Event()
    together = await begun(pool, "a", "b")
    await server.arrivals(2)
    await wait_until(lambda: running_lanes(pool) == ["a:latest", "b:latest"], what="two models in flight")
    server.gate.set()
    await bounded(*together)


async def test_a_look_asks_and_logs_in_nobody_s_name(make: MakePool, server: ScriptedOllama) -> None:
    seen: list[dict[str, object]] = []

    async def noting(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/ps":
            seen.append(structlog.contextvars.get_contextvars())
        return await server.transport.handle_async_request(request)

    pool = make(max_connections=2, transport=httpx.MockTransport(noting))
    with structlog.contextvars.bound_contextvars(task="the one that was answered"):
        await pool.generate("Hi", model="b")
        await bounded(*await begun(pool, "a", "b"))
        await wait_until(lambda: looks(server) == 1, what="a look at /api/ps")
    assert seen == [{}]


async def test_a_third_model_never_runs_beside_the_two(make: MakePool, server: ScriptedOllama) -> None:
    pool = make(max_connections=3)
    await pool.generate("Hi", model="b")
    await bounded(*await begun(pool, "a", "b"))
    await wait_until(lambda: looks(server) == 1, what="a look at /api/ps")
    server.gate = asyncio.Event()
    tasks = await begun(pool, "a", "b", "c")
    await wait_until(lambda: running_lanes(pool) == ["a:latest", "b:latest"], what="two models in flight")
    assert pool.queue.waiting == 1
    server.gate.set()
    await bounded(*tasks)
    assert running_lanes(pool) == []


async def test_models_that_take_turns_in_memory_are_never_asked_at_once(make: MakePool, server: ScriptedOllama) -> None:
    server.loaded = resident("a:latest")
    pool = make(max_connections=2)
    await pool.generate("Hi", model="b")
    await bounded(*await begun(pool, "a", "b"))
    await wait_until(lambda: looks(server) == 1, what="a look at /api/ps")
    server.gate = asyncio.Event()
    tasks = await begun(pool, "a", "b")
    assert len(running_lanes(pool)) == 1
    server.gate.set()
    await bounded(*tasks)


async def test_what_a_look_saw_before_a_third_model_came_is_not_believed(
    make: MakePool, server: ScriptedOllama
) -> None:
    seen = asyncio.Event()

    async def slow_ps(request: httpx.Request) -> httpx.Response:
        response = await server.transport.handle_async_request(request)
        if request.url.path == "/api/ps":
            await seen.wait()
        return response

    pool = make(max_connections=2, transport=httpx.MockTransport(slow_ps))
    await pool.generate("Hi", model="b")
    await bounded(*await begun(pool, "a", "b"))
    await wait_until(lambda: looks(server) == 1, what="a look at /api/ps")
    await pool.generate("Hi", model="c")
    seen.set()
    await wait_until(lambda: loaded_lanes(pool) == ["a:latest", "b:latest"], what="the end of the look")
    server.gate = asyncio.Event()
    tasks = await begun(pool, "a", "b")
    assert len(running_lanes(pool)) == 1
    server.gate.set()
    await bounded(*tasks)


async def test_one_model_under_load_is_never_looked_at(make: MakePool, server: ScriptedOllama) -> None:
    pool = make(max_connections=1)
    await bounded(*(pool.generate("Hi", model="a") for _ in range(5)))
    await pool.generate("Hi", model="b")
    await bounded(*(pool.generate("Hi", model="b") for _ in range(5)))
    assert looks(server) == 0


async def test_the_same_two_models_are_looked_at_seldom(make: MakePool, server: ScriptedOllama) -> None:
    clock = FakeClock()
    pool = make(max_connections=1, clock=clock)
    await pool.generate("Hi", model="b")
    for _ in range(4):
        await bounded(*await begun(pool, *"aaabbb"))
    assert looks(server) <= 2 * 4


async def test_a_server_that_tells_nothing_of_its_memory_is_asked_one_model_at_a_time(
    make: MakePool, server: ScriptedOllama
) -> None:
    asked = 0

    async def without_ps(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        if request.url.path == "/api/ps":
            asked += 1
            return refusal(500, "no")
        return await server.transport.handle_async_request(request)

    pool = make(max_connections=2, transport=httpx.MockTransport(without_ps))
    await pool.generate("Hi", model="b")
    await bounded(*await begun(pool, "a", "b"))
    await wait_until(lambda: asked == 1, what="a look at /api/ps")
    server.gate = asyncio.Event()
    tasks = await begun(pool, "a", "b")
    assert len(running_lanes(pool)) == 1
    server.gate.set()
    await bounded(*tasks)


async def test_a_look_ends_with_its_pool(make: MakePool, server: ScriptedOllama) -> None:
    async def hangs(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/ps":
            server.requests.append(("/api/ps", {}))
            await asyncio.Event().wait()
        return await server.transport.handle_async_request(request)

    before = asyncio.all_tasks()
    async with make(max_connections=1, transport=httpx.MockTransport(hangs)) as pool:
        await pool.generate("Hi", model="b")
        await bounded(*await begun(pool, "a", "b"))
        await wait_until(lambda: looks(server) == 1, what="a look at /api/ps")
    assert asyncio.all_tasks() == before


class Telling(OllamaClient):
    """Tells what it is told of the model that it asks."""

    told: ClassVar[list[bool]] = []

    async def complete(
        self, request: ModelRequest, on_chunk: OnChunk | None = None, *, is_loaded: bool = False
    ) -> Completion:
        self.told.append(is_loaded)
        return await super().complete(request, on_chunk, is_loaded=is_loaded)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    monkeypatch.setattr(Telling, "told", [])
    return Telling.told


async def test_a_model_that_answered_just_now_is_known_to_be_loaded(
    make: MakePool, server: ScriptedOllama, told: list[bool]
) -> None:
    clock = FakeClock()
    pool = make(client_factory=lambda url: Telling(url, transport=server.transport), clock=clock)
    for model, pause in (("a", 0), ("a", 240), ("a", 241), ("b", 0), ("a", 0), ("a", 0)):
        clock.now += pause
        await pool.generate("Hi", model=model)
    assert told == [False, True, False, False, False, True]


async def test_a_model_that_did_not_answer_in_time_counts_as_loaded_no_more(
    make: MakePool, server: ScriptedOllama, told: list[bool]
) -> None:
    waits = ModelTimeouts(first_token=0.01, load=30, total=30)
    pool = make(max_retries=0, client_factory=lambda url: Telling(url, timeouts=waits, transport=server.transport))
    await pool.generate("Hi", model="a")
    server.gate = asyncio.Event()
    with pytest.raises(ModelTimeout, match="though it had the model loaded"):
        await pool.generate("Hi", model="a")
    server.gate.set()
    await pool.generate("Hi", model="a")
    assert told == [False, True, False]
