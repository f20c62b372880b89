import asyncio
import json

import httpx
import pytest

from agents.core.model.errors import ModelUnreachable
from agents.core.model.requests import ChatRequest, GenerateRequest
from agents.core.ollama_client import OllamaClient
from tests.support.scripted_ollama import DONE, VERSION, Body, ScriptedOllama, answer, lines, refusal, streamed

ASK = GenerateRequest(model="tinyllama:latest", prompt="Hi")


async def test_an_answer_is_returned_whole_with_what_it_cost(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(answer("Hel", "lo", created_at="2026-11-22T10:58:33.645462965Z"))
    completion = await client.complete(ASK)
    assert completion.text == "Hello"
    assert completion.done_reason == "stop"
    assert completion.created is not None
    assert completion.created.isoformat() == "2026-11-22T10:58:33.645462+00:00"
    usage = completion.usage
    assert (usage.load_time, usage.prompt_time, usage.generation_time) == pytest.approx((2.0, 0.5, 1.5))
    assert (usage.tokens_in, usage.tokens_out, usage.model_calls) == (10, 4, 1)
    assert (completion.model, completion.server) == ("tinyllama:latest", "http://ollama:11434")


async def test_requests_always_stream_and_never_send_keep_alive(client: OllamaClient, server: ScriptedOllama) -> None:
    await client.complete(ASK)
    await client.complete(ChatRequest(model="tinyllama:latest", messages=[{"role": "user", "content": "Hi"}]))
    for _, body in server.requests:
        assert body["stream"] is True
        assert "keep_alive" not in body


async def test_a_chat_collects_text_thoughts_and_tool_calls(client: OllamaClient, server: ScriptedOllama) -> None:
    call = {"function": {"name": "f", "arguments": {"x": 1}}}
    server.script.append(
        streamed(
            {"message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
            {"message": {"role": "assistant", "content": "so"}, "done": False},
            {"message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False},
            {"message": {"role": "assistant", "content": ""}, **DONE},
        )
    )
    completion = await client.complete(ChatRequest(model="m", messages=[{"role": "user", "content": "Hi"}]))
    assert (completion.text, completion.thinking, completion.tool_calls) == ("so", "hm", (call,))
    assert completion.message == {"role": "assistant", "content": "so", "thinking": "hm", "tool_calls": [call]}


async def test_chunks_are_handed_on_in_order_and_never_empty(client: OllamaClient, server: ScriptedOllama) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    server.script.append(answer("a", "", "b"))
    await client.complete(ASK, hear)
    assert heard == ["a", "b"]


async def test_an_answer_in_one_object_is_handed_on_too(client: OllamaClient, server: ScriptedOllama) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    server.script.append(streamed({"response": "all", **DONE}))
    assert (await client.complete(ASK, hear)).text == "all"
    assert heard == ["all"]


async def test_what_on_chunk_raises_comes_through_and_closes_the_answer(
    client: OllamaClient, server: ScriptedOllama
) -> None:
    body = Body(lines({"response": "a", "done": False}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))

    async def refuse(_: str) -> None:
        raise LookupError("listener gone")

    with pytest.raises(LookupError, match="listener gone"):
        await client.complete(ASK, refuse)
    assert body.closed.is_set()


async def test_characters_that_python_takes_for_line_ends_stay_in_the_text(
    client: OllamaClient, server: ScriptedOllama
) -> None:
    text = "one\u2028two\x85three\x0cfour"
    raw = json.dumps({"response": text, **DONE}, ensure_ascii=False).encode() + b"\n"
    server.script.append(httpx.Response(200, stream=Body([raw[:20], raw[20:]])))
    assert (await client.complete(ASK)).text == text


async def test_embeddings_keep_the_order_of_their_inputs(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(httpx.Response(200, json={"embeddings": [[1, 0], [0, 1]], "prompt_eval_count": 3}))
    result = await client.embed("all-minilm", ["a", "b"])
    assert result.vectors == ((1.0, 0.0), (0.0, 1.0))
    assert (result.usage.tokens_in, result.model, result.server) == (3, "all-minilm", "http://ollama:11434")
    assert server.asked("/api/embed") == [{"model": "all-minilm", "input": ["a", "b"], "options": {}, "truncate": True}]


async def test_embeddings_may_be_shorter_and_may_refuse_long_inputs(
    client: OllamaClient, server: ScriptedOllama
) -> None:
    server.installed.append("all-minilm")
    await client.embed("all-minilm", ["a"], {"num_ctx": 256}, dimensions=64, truncate=False)
    (asked,) = server.asked("/api/embed")
    assert (asked["dimensions"], asked["truncate"], asked["options"]) == (64, False, {"num_ctx": 256})


async def test_the_older_endpoint_gives_one_vector_or_none(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.extend([httpx.Response(200, json={"embedding": [3, 4]}), httpx.Response(200, json={"embedding": []})])
    result = await client.embeddings("all-minilm", "a", {"num_ctx": 256})
    assert (result.vectors, result.model, result.server) == (((3.0, 4.0),), "all-minilm", "http://ollama:11434")
    assert (await client.embeddings("all-minilm", "")).vectors == ()
    assert server.asked("/api/embeddings") == [
        {"model": "all-minilm", "prompt": "a", "options": {"num_ctx": 256}},
        {"model": "all-minilm", "prompt": "", "options": {}},
    ]


async def test_preload_sends_keep_alive_only_when_told(client: OllamaClient, server: ScriptedOllama) -> None:
    await client.preload("tinyllama:latest", {"num_ctx": 512})
    await client.preload("tinyllama:latest", keep_alive="10m")
    await client.unload("tinyllama:latest")
    first, second, third = server.asked("/api/generate")
    assert first == {"model": "tinyllama:latest", "options": {"num_ctx": 512}}
    assert second["keep_alive"] == "10m"
    assert third["keep_alive"] == 0


async def test_a_model_for_embeddings_is_loaded_by_the_endpoint_that_can(
    client: OllamaClient, server: ScriptedOllama
) -> None:
    server.script.extend([refusal(400, '"all-minilm" does not support generate'), httpx.Response(200, json={})])
    await client.preload("all-minilm", keep_alive="10m")
    assert server.asked("/api/embeddings") == [{"model": "all-minilm", "options": {}, "keep_alive": "10m"}]


async def test_images_tools_thinking_and_a_schema_reach_the_model(client: OllamaClient, server: ScriptedOllama) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    message = {"role": "user", "content": "What is it?", "images": ["aGk="]}
    asked = ChatRequest(
        model="tinyllama:latest", messages=[message], tools=[tool], think="low", format={"type": "object"}
    )
    await client.complete(asked)
    assert server.asked("/api/chat") == [
        {
            "model": "tinyllama:latest",
            "stream": True,
            "messages": [message],
            "tools": [tool],
            "think": "low",
            "format": {"type": "object"},
        }
    ]


async def test_the_server_tells_its_version_and_models(client: OllamaClient, server: ScriptedOllama) -> None:
    assert await client.version() == VERSION
    assert [model["name"] for model in await client.tags()] == ["tinyllama:latest"]
    server.script.append(httpx.Response(200, json={"license": "MIT"}))
    assert await client.show("tinyllama:latest") == {"license": "MIT"}


async def test_a_server_without_models_has_an_empty_list() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"models": None}))
    async with OllamaClient("http://ollama", transport=transport) as client:
        assert (await client.tags(), await client.ps()) == ([], [])


async def test_credentials_are_sent_and_never_shown() -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        assert "hunter2" not in str(request.url)
        raise httpx.ConnectError("refused")

    client = OllamaClient("http://me:hunter2@host.example:11434", transport=httpx.MockTransport(handle))
    with pytest.raises(ModelUnreachable) as caught:
        await client.version()
    assert seen == ["Basic bWU6aHVudGVyMg=="]
    assert "hunter2" not in f"{caught.value}{client!r}{client.safe_url}"
