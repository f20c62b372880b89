import asyncio

import httpx
import pytest
import structlog

from agents.core.model.errors import ModelNotFound, ModelPoolClosed, ModelServerError, ModelUnreachable
from agents.core.model.store import FAILED_PULL_HOLDS, ModelStore
from agents.core.ollama_client import OllamaClient
from tests.support.clock import FakeClock
from tests.support.scripted_ollama import ScriptedOllama, refusal


def store_at(server: ScriptedOllama, *, auto_pull: bool = True, clock: FakeClock | None = None) -> ModelStore:
    client = OllamaClient("http://ollama", transport=server.transport)
    return ModelStore(client, auto_pull=auto_pull, cache_size=2, clock=clock or FakeClock())


async def test_the_list_of_the_server_is_read_in_full_names(server: ScriptedOllama) -> None:
    server.installed = ["tinyllama:latest", "all-minilm"]
    store = store_at(server)
    assert store.installed == []
    assert await store.refresh() == ["all-minilm:latest", "tinyllama:latest"] == store.installed


def test_a_model_that_has_answered_is_installed(server: ScriptedOllama) -> None:
    store = store_at(server)
    store.note_used("tinyllama")
    store.note_used("TinyLlama:latest")
    assert store.installed == ["tinyllama:latest"]


def test_only_the_models_used_last_are_remembered_as_used(server: ScriptedOllama) -> None:
    store = store_at(server)
    for name in ("a", "b", "a", "c"):
        store.note_used(name)
    assert store.used == ["a:latest", "c:latest"]
    assert store.installed == ["a:latest", "b:latest", "c:latest"]


async def test_a_missing_model_is_pulled_once_however_many_ask(server: ScriptedOllama) -> None:
    store = store_at(server)
    await asyncio.gather(*(store.obtain(name, seen=0) for name in ["m", "M:latest", "m:latest", "m"]))
    assert server.asked("/api/pull") == [{"model": "m:latest", "stream": True}]
    assert store.installed == ["m:latest"]


async def test_a_refusal_from_before_the_last_pull_starts_no_other(server: ScriptedOllama) -> None:
    store = store_at(server)
    seen = store.pulls("m")
    await store.obtain("m", seen)
    await store.obtain("m:latest", seen)
    assert len(server.asked("/api/pull")) == 1
    await store.obtain("m", store.pulls("m"))
    assert len(server.asked("/api/pull")) == 2


async def test_a_failed_pull_counts_as_missing_and_names_the_remedy(server: ScriptedOllama) -> None:
    server.pull_lines = [{"error": "file does not exist"}]
    store = store_at(server)
    failures = await asyncio.gather(store.obtain("nope", seen=0), store.obtain("nope", seen=0), return_exceptions=True)
    for failure in failures:
        assert isinstance(failure, ModelNotFound)
        assert "run `ollama pull nope:latest`" in str(failure)
    assert store.installed == []


async def test_a_failed_pull_answers_for_a_while_and_is_then_tried_again(server: ScriptedOllama) -> None:
    clock = FakeClock()
    store = store_at(server, clock=clock)
    good, server.pull_lines = server.pull_lines, [{"error": "file does not exist"}]
    for _ in range(3):
        with pytest.raises(ModelNotFound, match="file does not exist"):
            await store.obtain("m", seen=0)
    assert len(server.asked("/api/pull")) == 1
    server.pull_lines = good
    clock.now = FAILED_PULL_HOLDS
    await store.obtain("m", seen=0)
    assert store.installed == ["m:latest"]


async def test_a_server_that_goes_away_in_a_pull_is_no_missing_model() -> None:
    answers: list[httpx.Response | Exception] = [httpx.ConnectError("refused"), refusal(500, "out of disk")]

    def handle(_: httpx.Request) -> httpx.Response:
        item = answers.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    client = OllamaClient("http://ollama", transport=httpx.MockTransport(handle))
    store = ModelStore(client, auto_pull=True, cache_size=2)
    with pytest.raises(ModelUnreachable):
        await store.obtain("m", seen=0)
    with pytest.raises(ModelServerError, match="out of disk"):
        await store.obtain("m", seen=0)


async def test_without_auto_pull_a_missing_model_is_just_missing(server: ScriptedOllama) -> None:
    store = store_at(server, auto_pull=False)
    store.note_used("m")
    with pytest.raises(ModelNotFound, match="it is not installed at the server"):
        await store.obtain("m", seen=0)
    assert (store.installed, store.used, server.requests) == ([], [], [])


async def test_closing_ends_a_running_pull() -> None:
    begun = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    client = OllamaClient("http://ollama", transport=httpx.MockTransport(hang))
    store = ModelStore(client, auto_pull=True, cache_size=2)
    task = asyncio.create_task(store.obtain("m", seen=0), name="asking")
    async with asyncio.timeout(5):
        await begun.wait()
        await store.close()
        with pytest.raises(ModelPoolClosed):
            await task


async def test_one_who_stops_waiting_leaves_the_pull_to_the_others(server: ScriptedOllama) -> None:
    store = store_at(server)
    impatient = asyncio.create_task(store.obtain("m", seen=0), name="impatient")
    patient = asyncio.create_task(store.obtain("m", seen=0), name="patient")
    await asyncio.sleep(0)
    impatient.cancel()
    async with asyncio.timeout(5):
        await patient
    assert store.installed == ["m:latest"]
    assert len(server.asked("/api/pull")) == 1


async def test_a_pull_asks_and_logs_in_nobody_s_name() -> None:
    seen: list[dict[str, object]] = []

    def note(_: httpx.Request) -> httpx.Response:
        seen.append(structlog.contextvars.get_contextvars())
        return httpx.Response(200, json={"status": "success"})

    store = ModelStore(OllamaClient("http://ollama", transport=httpx.MockTransport(note)), auto_pull=True, cache_size=2)
    with structlog.contextvars.bound_contextvars(task="the one that asked first"):
        await store.obtain("m", seen=0)
    assert seen == [{}]
