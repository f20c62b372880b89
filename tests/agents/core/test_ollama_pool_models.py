"""Models that are missing, pulled, warmed."""

import asyncio

import httpx
import pytest

from agents.core.model.errors import IncompleteStream, ModelCircuitOpen, ModelNotFound
from agents.core.model.task_scope import TaskScope, task_scope
from tests.support.pools import MakePool, a_task, bounded
from tests.support.scripted_ollama import ScriptedOllama, missing, refusal
from tests.support.waiting import wait_until


async def test_a_missing_model_is_pulled_once_and_then_asked(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    pool = make()
    assert await bounded(*(pool.generate("Hi") for _ in range(4))) == ["ok"] * 4
    assert len(server.asked("/api/pull")) == 1
    assert pool.get_stats()["available_models"] == ["tinyllama:latest"]


async def test_a_model_that_is_missing_even_after_its_pull_is_not_pulled_for_ever(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.extend([refusal(404, "model 'm' not found") for _ in range(2)])
    with pytest.raises(ModelNotFound):
        await make().generate("Hi", model="m")
    assert len(server.asked("/api/pull")) == 1


async def test_preload_warms_a_model_without_keep_alive(make: MakePool, server: ScriptedOllama) -> None:
    pool = make()
    await pool.preload(options={"num_ctx": 512})
    assert server.asked("/api/generate") == [{"model": "tinyllama:latest", "options": {"num_ctx": 512}}]
    assert str(pool.queue.loaded_lane) == "tinyllama:latest num_ctx=512"
    assert pool.get_stats()["models_cached"] == 1


async def test_the_models_of_the_settings_are_warmed_behind_all_else_and_nobody_waits_for_it(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    server.installed.append("a:latest")
    async with asyncio.timeout(10), make(max_connections=1, preload_models=("a", "tinyllama")) as pool:
        await server.arrivals(1)
        asked = asyncio.create_task(pool.generate("Hi"), name="asked")
        await asyncio.sleep(0)
        server.gate.set()
        assert await asked == "ok"
        await wait_until(lambda: len(server.asked("/api/generate")) == 3, what="the second model")
    bodies = server.asked("/api/generate")
    assert [body["model"] for body in bodies] == ["a:latest", "tinyllama:latest", "tinyllama:latest"]
    assert ["prompt" in body for body in bodies] == [False, True, False]


async def test_a_pool_that_closes_warms_no_more(make: MakePool, server: ScriptedOllama) -> None:
    before = asyncio.all_tasks()
    server.gate = asyncio.Event()
    async with make(preload_models=["tinyllama"]):
        await server.arrivals(1)
    assert asyncio.all_tasks() == before


async def test_a_pull_tells_how_far_it_is_and_when_it_is_over(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    server.pull_lines = [
        {"status": "pulling manifest"},
        {"status": "pulling 797b", "digest": "sha256:797b", "total": 1000, "completed": 450},
        {"status": "pulling 797b", "digest": "sha256:797b", "total": 1000, "completed": 1000},
        {"status": "success"},
    ]
    pool = make()
    store = pool.servers.first.models
    told: list[dict[str, int]] = []
    store.on_progress = lambda: told.append(store.pulling)
    await pool.generate("Hi")
    assert told == [*({"tinyllama:latest": percent} for percent in (0, 45, 100, 100)), {}]


async def test_a_pull_that_breaks_off_goes_on(make: MakePool, server: ScriptedOllama, naps: list[float]) -> None:
    server.installed = []
    whole, server.pull_lines = server.pull_lines, [{"status": "pulling manifest"}]

    async def mended(request: httpx.Request) -> httpx.Response:
        response = await server.transport.handle_async_request(request)
        if request.url.path == "/api/pull":
            server.pull_lines = whole
        return response

    pool = make(transport=httpx.MockTransport(mended))
    assert await pool.generate("Hi") == "ok"
    assert (len(server.asked("/api/pull")), len(naps)) == (2, 1)
    assert pool.get_stats()["failed_requests"] == 0


async def test_a_pull_that_never_ends_well_is_not_tried_for_ever(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    server.pull_lines = [{"status": "pulling manifest"}]
    with pytest.raises(IncompleteStream, match="ended unfinished"):
        await make(max_retries=2).generate("Hi")
    assert len(server.asked("/api/pull")) == 3


async def test_a_pull_that_an_outage_breaks_off_costs_a_task_no_attempt(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    server.pull_lines = [{"status": "pulling manifest"}]
    server.script.extend([missing("tinyllama:latest"), httpx.ConnectError("gone")])
    with task_scope(TaskScope(task=a_task())), pytest.raises(ModelCircuitOpen):
        await make(max_retries=0).generate("Hi")
