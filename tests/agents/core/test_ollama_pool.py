"""The pool's face, and each fault that was measured in an earlier one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelNotFound,
    ModelPoolClosed,
    ModelServerError,
    ModelServerFault,
    ModelUnreachable,
)
from agents.core.model.requests import GenerateRequest
from agents.core.model.task_scope import TaskScope, task_scope
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal, streamed
from tests.support.waiting import wait_until

STATS_KEYS = {
    "total_connections",
    "active_connections",
    "idle_connections",
    "error_connections",
    "total_requests",
    "failed_requests",
    "success_rate",
    "average_response_time",
    "models_cached",
    "pool_hits",
    "pool_misses",
    "hit_rate",
    "available_models",
}

MakePool = Callable[..., OllamaConnectionPool]


@pytest.fixture
def server() -> ScriptedOllama:
    return ScriptedOllama()


@pytest.fixture
def naps() -> list[float]:
    """The seconds the pool has waited between tries."""
    return []


@pytest.fixture
async def make(server: ScriptedOllama, naps: list[float]) -> AsyncIterator[MakePool]:
    pools: list[OllamaConnectionPool] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    def build(**given: object) -> OllamaConnectionPool:
        usual: dict[str, Any] = {"transport": server.transport, "sleep": nap}
        pool = OllamaConnectionPool("http://ollama", **usual | given)
        pools.append(pool)
        return pool

    yield build
    for pool in pools:
        await pool.close()


async def bounded(*waits: Awaitable[Any]) -> list[Any]:
    async with asyncio.timeout(10):
        return await asyncio.gather(*waits)


async def test_generate_sends_the_seeds_parameters_as_options(make: MakePool, server: ScriptedOllama) -> None:
    text = await make().generate("Hi", system="Be brief.", max_tokens=16, top_p=0.9, format="json")
    assert text == "ok"
    assert server.asked("/api/generate") == [
        {
            "stream": True,
            "model": "tinyllama:latest",
            "prompt": "Hi",
            "system": "Be brief.",
            "format": "json",
            "options": {"temperature": 0.7, "num_predict": 16, "top_p": 0.9},
        }
    ]


async def test_chat_returns_the_answers_text(make: MakePool, server: ScriptedOllama) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert await make().chat(messages, tools=[{"type": "function"}]) == "ok"
    (body,) = server.asked("/api/chat")
    assert body["messages"] == messages
    assert body["tools"] == [{"type": "function"}]
    assert body["options"] == {"temperature": 0.7, "num_predict": 2048}


async def test_embeddings_returns_one_vector(make: MakePool, server: ScriptedOllama) -> None:
    assert await make().embeddings("a text") == [1.0, 0.0]
    server.script.append(httpx.Response(200, json={"embeddings": []}))
    assert await make().embeddings("") == []


async def test_a_full_pool_waits_instead_of_failing(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=2)
    calls = [asyncio.create_task(pool.generate(str(n)), name=f"call-{n}") for n in range(6)]
    await server.arrivals(2)
    assert pool.get_stats()["active_connections"] == 2
    assert pool.queue.waiting == 4
    server.gate.set()
    assert await bounded(*calls) == ["ok"] * 6
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (6, 0, 1.0)
    assert stats["total_connections"] <= 2


async def test_never_more_requests_run_than_there_are_connections(make: MakePool) -> None:
    running, most = 0, 0

    async def count(client: httpx.Request) -> httpx.Response:
        nonlocal running, most
        del client
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return answer("x")

    pool = make(max_connections=3, transport=httpx.MockTransport(count))
    await bounded(*(pool.generate("Hi") for _ in range(20)))
    assert most == 3


async def test_rates_stay_between_0_and_1_whatever_fails(make: MakePool, server: ScriptedOllama) -> None:
    pool = make(max_retries=0)
    server.script.extend(refusal(500, "no") for _ in range(3))
    for _ in range(3):
        with pytest.raises(ModelServerError):
            await pool.generate("Hi")
    await pool.generate("Hi")
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (4, 3, 0.25)
    assert 0 <= stats["hit_rate"] <= 1


async def test_the_statistics_have_the_seeds_keys(make: MakePool) -> None:
    stats = make().get_stats()
    assert stats.keys() == STATS_KEYS
    assert (stats["success_rate"], stats["hit_rate"]) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["tinyllama", "tinyllama:latest", "TinyLlama:Latest"])
async def test_an_installed_model_is_not_pulled_again_whatever_its_tag(
    make: MakePool, server: ScriptedOllama, name: str
) -> None:
    server.script.append(answer("ok"))
    pool = make()
    await pool.generate("Hi", model=name)
    assert server.asked("/api/pull") == []
    assert len(server.requests) == 1
    assert len(pool.get_stats()["available_models"]) == 1


async def test_the_alias_of_the_seed_means_the_model_that_exists(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = ["qwen2.5-coder:7b"]
    await make().generate("Hi", model="tinyllama2.5-coder:7b")
    assert server.asked("/api/generate")[0]["model"] == "qwen2.5-coder:7b"


async def test_a_missing_model_is_pulled_once_and_then_asked(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    pool = make()
    assert await bounded(*(pool.generate("Hi") for _ in range(4))) == ["ok"] * 4
    assert len(server.asked("/api/pull")) == 1
    assert pool.get_stats()["available_models"] == ["tinyllama:latest"]


async def test_a_failed_pull_does_not_count_as_available(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = []
    server.pull_lines = [{"status": "pulling manifest"}, {"error": "file does not exist"}]
    pool = make()
    with pytest.raises(ModelNotFound, match="run `ollama pull tinyllama:latest`"):
        await pool.generate("Hi")
    stats = pool.get_stats()
    assert (stats["available_models"], stats["models_cached"], stats["failed_requests"]) == ([], 0, 1)
    assert pool.breaker.get_stats()["failed_requests"] == 0


async def test_a_model_that_is_missing_even_after_its_pull_is_not_pulled_for_ever(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.script.extend([refusal(404, "model 'm' not found") for _ in range(2)])
    with pytest.raises(ModelNotFound):
        await make().generate("Hi", model="m")
    assert len(server.asked("/api/pull")) == 1


async def test_a_broken_connection_is_dropped_and_replaced(make: MakePool, server: ScriptedOllama) -> None:
    server.script.append(httpx.ReadError("reset"))
    pool = make(max_retries=0)
    with pytest.raises(ModelServerError):
        await pool.generate("Hi")
    assert (pool.get_stats()["error_connections"], pool.get_stats()["idle_connections"]) == (1, 0)
    await pool.generate("Hi")
    assert (pool.get_stats()["error_connections"], pool.get_stats()["idle_connections"]) == (0, 1)


async def test_the_pool_is_healthy_while_all_its_connections_are_busy(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1)
    call = asyncio.create_task(pool.generate("Hi"), name="busy")
    await server.arrivals(1)
    assert await pool.health_check() is True
    server.gate.set()
    await bounded(call)


async def test_the_pool_is_unhealthy_when_the_server_does_not_answer(make: MakePool) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert await make(transport=httpx.MockTransport(refuse)).health_check() is False


async def test_the_pool_is_unhealthy_while_the_breaker_is_open_or_after_its_end(make: MakePool) -> None:
    pool = make()
    await pool.breaker.force_open()
    assert await pool.health_check() is False
    await pool.breaker.reset()
    assert await pool.health_check() is True
    await pool.close()
    assert await pool.health_check() is False


@pytest.mark.parametrize("max_retries", [0, 1, 3])
async def test_max_retries_is_what_is_done(
    make: MakePool, server: ScriptedOllama, naps: list[float], max_retries: int
) -> None:
    server.script.extend([refusal(500, "no") for _ in range(9)])
    with pytest.raises(ModelServerError):
        await make(max_retries=max_retries).generate("Hi")
    assert len(server.requests) == max_retries + 1
    assert len(naps) == max_retries


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        refusal(503, "server busy"),
        refusal(500, "an error was encountered while running the model: unexpected EOF"),
        streamed({"response": "half", "done": False}),
    ],
    ids=["no connection", "overloaded", "server error", "incomplete"],
)
async def test_a_failure_in_passing_is_tried_again_and_counts_as_one_request(
    make: MakePool, server: ScriptedOllama, failure: httpx.Response | Exception
) -> None:
    server.script.append(failure)
    pool = make()
    assert await pool.generate("Hi") == "ok"
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"]) == (1, 0)


async def test_a_bad_request_is_never_tried_again(make: MakePool, server: ScriptedOllama, naps: list[float]) -> None:
    server.script.append(refusal(500, 'option "temperature" must be of type float32'))
    with pytest.raises(BadModelRequest):
        await make().generate("Hi", min_p="hot")
    assert (len(server.requests), naps) == (1, [])


async def test_a_try_that_failed_gives_its_slot_back_while_it_waits(server: ScriptedOllama) -> None:
    napping, go_on = asyncio.Event(), asyncio.Event()

    async def nap(_: float) -> None:
        napping.set()
        await go_on.wait()

    pool = OllamaConnectionPool("http://ollama", 1, transport=server.transport, sleep=nap)
    server.script.append(refusal(500, "no"))
    failing = asyncio.create_task(pool.generate("first"), name="failing")
    async with asyncio.timeout(5):
        await napping.wait()
        assert await pool.generate("second") == "ok"
        go_on.set()
        assert await failing == "ok"
        await pool.close()


async def test_a_stream_that_broke_after_text_was_shown_is_not_tried_again(
    make: MakePool, server: ScriptedOllama
) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    server.script.append(streamed({"response": "half", "done": False}))
    with pytest.raises(IncompleteStream):
        await make().complete(GenerateRequest(prompt="Hi"), on_chunk=hear)
    assert (heard, len(server.requests)) == (["half"], 1)


async def test_a_stream_that_broke_before_any_text_is_tried_again(make: MakePool, server: ScriptedOllama) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    server.script.append(streamed({"response": "", "done": False}))
    with task_scope(TaskScope(on_chunk=hear)):
        await make().complete(GenerateRequest(prompt="Hi"))
    assert heard == ["o", "k"]


async def test_what_a_task_used_is_summed_in_its_scope(make: MakePool, server: ScriptedOllama) -> None:
    now = 0.0

    def slow(_: dict[str, Any]) -> httpx.Response:
        nonlocal now
        now += 5.0
        return answer("x")

    server.script.extend([slow, slow])
    pool = make(max_connections=1, clock=lambda: now)
    with task_scope(TaskScope()) as scope:
        first, second = await bounded(
            pool.complete(GenerateRequest(prompt="1")), pool.complete(GenerateRequest(prompt="2"))
        )
        await pool.embeddings("text")
    assert (first.usage.slot_wait, second.usage.slot_wait) == (0.0, 5.0)
    usage = scope.usage
    assert (usage.model_calls, usage.tokens_out, usage.tokens_in, usage.slot_wait) == (3, 8, 23, 5.0)


async def test_preload_warms_a_model_without_keep_alive(make: MakePool, server: ScriptedOllama) -> None:
    pool = make()
    await pool.preload(options={"num_ctx": 512})
    assert server.asked("/api/generate") == [{"model": "tinyllama:latest", "options": {"num_ctx": 512}}]
    assert str(pool.queue.loaded_lane) == "tinyllama:latest num_ctx=512"
    assert pool.get_stats()["models_cached"] == 1


async def test_the_installed_models_can_be_asked_for(make: MakePool, server: ScriptedOllama) -> None:
    pool = make()
    server.installed = ["b:1", "a:1"]
    assert await pool.refresh_models() == ["a:1", "b:1"] == pool.get_stats()["available_models"]


async def test_idle_connections_above_the_minimum_are_closed_after_a_while(
    make: MakePool, server: ScriptedOllama
) -> None:
    server.gate = asyncio.Event()
    async with asyncio.timeout(10), make(max_connections=3, min_connections=1, cleanup_interval=0.01) as pool:
        calls = [asyncio.create_task(pool.generate("Hi"), name=f"call-{n}") for n in range(3)]
        await server.arrivals(3)
        assert pool.get_stats()["active_connections"] == 3
        server.gate.set()
        await asyncio.gather(*calls)
        await wait_until(lambda: pool.get_stats()["idle_connections"] == 1)


async def test_closing_ends_what_waits_and_what_runs_with_a_clear_error(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1)
    calls = [asyncio.create_task(pool.generate("Hi"), name=f"call-{n}") for n in range(3)]
    await server.arrivals(1)
    await pool.close()
    await pool.close()
    async with asyncio.timeout(5):
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, ModelPoolClosed)
    with pytest.raises(ModelPoolClosed, match="is closed"):
        await pool.generate("Hi")
    assert pool.get_stats()["total_connections"] == 0


async def test_nothing_is_left_open_or_running_behind_a_pool(make: MakePool) -> None:
    before = asyncio.all_tasks()
    async with make(min_connections=1) as pool:
        assert pool.get_stats()["idle_connections"] == 1
        await pool.generate("Hi")
        assert pool.get_stats()["pool_misses"] == 0
        assert [task.get_name() for task in asyncio.all_tasks() - before] == ["ollama-pool-sweeper http://ollama"]
        assert pool.get_stats()["idle_connections"] == 1
    assert pool.get_stats()["total_connections"] == 0
    assert asyncio.all_tasks() == before


async def test_a_closed_pool_cannot_be_opened_again(make: MakePool) -> None:
    async with make() as pool:
        pass
    with pytest.raises(ModelPoolClosed, match="make a new one"):
        async with pool:
            pass


async def test_a_caller_that_waits_to_try_again_hears_of_the_end(server: ScriptedOllama) -> None:
    pool: OllamaConnectionPool

    async def close_instead(_: float) -> None:
        await pool.close()

    pool = OllamaConnectionPool("http://ollama", transport=server.transport, sleep=close_instead)
    server.script.append(refusal(500, "no"))
    with pytest.raises(ModelPoolClosed):
        await pool.generate("Hi")


async def test_cancelling_a_caller_frees_its_slot(make: MakePool, server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    pool = make(max_connections=1)
    first = asyncio.create_task(pool.generate("1"), name="first")
    await server.arrivals(1)
    second = asyncio.create_task(pool.generate("2"), name="second")
    first.cancel()
    await server.arrivals(1)
    server.gate.set()
    assert await bounded(second) == ["ok"]
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"], stats["success_rate"]) == (2, 0, 1.0)


def test_a_pool_is_made_outside_an_event_loop_and_takes_its_address_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_URL", "http://me:hunter2@ollama:10104")
    pool = OllamaConnectionPool(max_connections=2)
    assert pool.safe_url == "http://ollama:10104"
    assert pool.breaker.name == "ollama http://ollama:10104"
    assert pool.breaker.expected_exception is ModelServerFault


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"max_connections": 0}, "max_connections is 0"),
        ({"min_connections": -1}, "min_connections is -1"),
        ({"min_connections": 3}, r"min_connections is 3: use at most max_connections \(2\)"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"request_timeout": 0}, "request_timeout is 0"),
        ({"cleanup_interval": 0}, "cleanup_interval is 0"),
        ({"model_cache_size": -1}, "model_cache_size is -1"),
        ({"base_url": "ftp://x"}, "is no http address"),
        ({"default_model": ""}, "the model name is empty"),
    ],
)
def test_a_bad_argument_is_refused_by_name(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        OllamaConnectionPool(**given)


async def test_a_client_of_ones_own_can_be_given(server: ScriptedOllama) -> None:
    made: list[OllamaClient] = []

    def factory() -> OllamaClient:
        made.append(OllamaClient("http://mine", transport=server.transport))
        return made[-1]

    async with OllamaConnectionPool("http://ollama", client_factory=factory) as pool:
        assert await pool.generate("Hi") == "ok"
    assert {client.safe_url for client in made} == {"http://mine"}


async def test_a_breaker_of_ones_own_sees_every_failure_of_the_server(make: MakePool, server: ScriptedOllama) -> None:
    breaker = CircuitBreaker(failure_threshold=12, expected_exception=ModelServerFault)
    server.script.extend([httpx.ConnectError("refused") for _ in range(12)])
    pool = make(breaker=breaker, max_retries=3)
    for _ in range(3):
        with pytest.raises(ModelUnreachable):
            await pool.generate("Hi")
    assert breaker.get_stats()["failed_requests"] == 12
    assert not breaker.is_healthy
    assert len(server.asked("/api/generate")) == 12
