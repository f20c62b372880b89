"""The pool's face: its arguments, requests and figures."""

import asyncio
from typing import Any

import httpx
import pytest

from agents.core.model.errors import (
    ModelServerFault,
)
from agents.core.model.requests import GenerateRequest
from agents.core.model.task_scope import TaskScope, task_scope
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.pools import MakePool, bounded
from tests.support.scripted_ollama import ScriptedOllama, answer

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


async def test_the_alias_of_the_seed_means_the_model_that_exists(make: MakePool, server: ScriptedOllama) -> None:
    server.installed = ["qwen2.5-coder:7b"]
    await make().generate("Hi", model="tinyllama2.5-coder:7b")
    assert server.asked("/api/generate")[0]["model"] == "qwen2.5-coder:7b"


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


async def test_the_statistics_have_the_seeds_keys(make: MakePool) -> None:
    stats = make().get_stats()
    assert stats.keys() == STATS_KEYS | {"servers"}
    assert (stats["success_rate"], stats["hit_rate"]) == (1.0, 0.0)


async def test_the_installed_models_can_be_asked_for(make: MakePool, server: ScriptedOllama) -> None:
    pool = make()
    server.installed = ["b:1", "a:1"]
    assert await pool.refresh_models() == ["a:1", "b:1"] == pool.get_stats()["available_models"]


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

    def factory(_: str) -> OllamaClient:
        made.append(OllamaClient("http://mine", transport=server.transport))
        return made[-1]

    async with OllamaConnectionPool("http://ollama", client_factory=factory) as pool:
        assert await pool.generate("Hi") == "ok"
    assert {client.safe_url for client in made} == {"http://mine"}


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
