import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
    TimeoutPhase,
)
from agents.core.model.requests import ChatRequest, GenerateRequest
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient, PullProgress
from tests.support.scripted_ollama import DONE, VERSION, Body, ScriptedOllama, answer, lines, refusal, streamed
from tests.support.tiny_http import TinyHttp, chunked

ASK = GenerateRequest(model="tinyllama:latest", prompt="Hi")


@pytest.fixture
def server() -> ScriptedOllama:
    return ScriptedOllama()


@pytest.fixture
async def client(server: ScriptedOllama) -> AsyncIterator[OllamaClient]:
    async with OllamaClient("http://ollama:11434", transport=server.transport) as client:
        yield client


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
    assert completion.message == {"role": "assistant", "content": "so", "tool_calls": [call]}


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


@pytest.mark.parametrize(
    "reply",
    [
        streamed({"response": "half", "done": False}),
        streamed(),
        httpx.Response(200, json={"response": "half", "done": False}),
    ],
    ids=["stream", "empty", "one object"],
)
async def test_a_200_without_done_is_an_incomplete_stream(
    client: OllamaClient, server: ScriptedOllama, reply: httpx.Response
) -> None:
    server.script.append(reply)
    with pytest.raises(IncompleteStream):
        await client.complete(ASK)


async def test_an_error_line_in_mid_stream_is_a_server_error(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(streamed({"response": "half", "done": False}, {"error": "unexpected EOF"}))
    with pytest.raises(ModelServerError, match="unexpected EOF"):
        await client.complete(ASK)


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"[1, 2]", b'{"response": 5, "done": true}'],
    ids=["no JSON", "no object", "another shape"],
)
async def test_an_unreadable_answer_is_a_server_error(
    client: OllamaClient, server: ScriptedOllama, body: bytes
) -> None:
    server.script.append(httpx.Response(200, content=body))
    with pytest.raises(ModelServerError):
        await client.complete(ASK)


async def test_a_connection_that_breaks_in_mid_answer_is_an_incomplete_stream(server: ScriptedOllama) -> None:
    class Broken(Body):
        async def __aiter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204 - the base class says it
            yield b'{"response": "half", "done": false}\n'
            raise httpx.ReadError("connection reset")

    server.script.append(httpx.Response(200, stream=Broken([])))
    client = OllamaClient("http://ollama:11434", transport=server.transport)
    with pytest.raises(IncompleteStream, match="connection reset"):
        await client.complete(ASK)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("refused"), ModelUnreachable),
        (httpx.ConnectTimeout(""), ModelUnreachable),
        (httpx.ProxyError("no"), ModelUnreachable),
        (httpx.RemoteProtocolError("Server disconnected"), ModelServerError),
        (httpx.ReadError(""), ModelServerError),
    ],
)
async def test_no_error_of_httpx_leaves_the_client(
    client: OllamaClient, server: ScriptedOllama, error: Exception, expected: type[ModelError]
) -> None:
    server.script.append(error)
    with pytest.raises(expected) as caught:
        await client.complete(ASK)
    assert caught.value.__cause__ is error
    assert "http://ollama:11434" in str(caught.value)


async def test_a_server_that_never_answers_ends_in_a_first_token_timeout(server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    client = OllamaClient(
        "http://ollama", transport=server.transport, timeouts=ModelTimeouts(load=0.01, gap=5, total=5)
    )
    with pytest.raises(ModelTimeout, match=r"sent nothing for 0\.01 s") as caught:
        await client.complete(ASK)
    assert caught.value.which is TimeoutPhase.FIRST_TOKEN


@pytest.mark.parametrize(
    ("timeouts", "which"),
    [
        (ModelTimeouts(load=5, gap=0.01, total=5), TimeoutPhase.GAP),
        (ModelTimeouts(load=5, gap=5, total=0.05), TimeoutPhase.TOTAL),
    ],
)
async def test_an_answer_that_falls_silent_times_out_and_is_closed(
    server: ScriptedOllama, timeouts: ModelTimeouts, which: TimeoutPhase
) -> None:
    body = Body(lines({"response": "half", "done": False}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=timeouts)
    with pytest.raises(ModelTimeout) as caught:
        await client.complete(ASK)
    assert caught.value.which is which
    assert body.closed.is_set()


async def test_a_total_that_ends_before_the_first_token_says_so(server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=ModelTimeouts(load=5, total=0.01))
    with pytest.raises(ModelTimeout) as caught:
        await client.complete(ASK)
    assert caught.value.which is TimeoutPhase.FIRST_TOKEN


async def test_the_time_of_on_chunk_counts_to_no_gap(server: ScriptedOllama) -> None:
    server.script.append(answer("a"))
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=ModelTimeouts(gap=0.05, total=5))

    async def slow(_: str) -> None:
        await asyncio.sleep(0.1)  # longer than the gap allows: the listener's time, not the server's

    assert (await client.complete(ASK, slow)).text == "a"


async def test_a_finished_answer_counts_even_if_its_connection_stays_open(
    client: OllamaClient, server: ScriptedOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.core.ollama_client.DRAIN_SECONDS", 0.01)
    body = Body(lines({"response": "all", **DONE}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    assert (await client.complete(ASK)).text == "all"
    assert body.closed.is_set()


async def test_what_follows_a_finished_answer_is_ignored(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(streamed({"response": "all", **DONE}, {"response": "more", "done": False}))
    assert (await client.complete(ASK)).text == "all"


async def test_an_end_that_breaks_costs_no_finished_answer(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(httpx.Response(200, content=b"".join(lines({"response": "all", **DONE})) + b"<rubbish>"))
    assert (await client.complete(ASK)).text == "all"


async def test_cancelling_closes_the_answer_at_once(client: OllamaClient, server: ScriptedOllama) -> None:
    body = Body(lines({"response": "half", "done": False}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    begun = asyncio.Event()

    async def hear(_: str) -> None:
        begun.set()

    task = asyncio.create_task(client.complete(ASK, hear), name="asking")
    async with asyncio.timeout(5):
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert body.closed.is_set()


async def test_embeddings_keep_the_order_of_their_inputs(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(httpx.Response(200, json={"embeddings": [[1, 0], [0, 1]], "prompt_eval_count": 3}))
    result = await client.embed("all-minilm", ["a", "b"])
    assert result.vectors == ((1.0, 0.0), (0.0, 1.0))
    assert result.usage.tokens_in == 3
    assert server.asked("/api/embed")[0]["input"] == ["a", "b"]


async def test_preload_sends_keep_alive_only_when_told(client: OllamaClient, server: ScriptedOllama) -> None:
    await client.preload("tinyllama:latest", {"num_ctx": 512})
    await client.preload("tinyllama:latest", keep_alive="10m")
    await client.unload("tinyllama:latest")
    first, second, third = server.asked("/api/generate")
    assert first == {"model": "tinyllama:latest", "options": {"num_ctx": 512}}
    assert second["keep_alive"] == "10m"
    assert third["keep_alive"] == 0


async def test_the_server_tells_its_version_and_models(client: OllamaClient, server: ScriptedOllama) -> None:
    assert await client.version() == VERSION
    assert [model["name"] for model in await client.tags()] == ["tinyllama:latest"]
    server.script.extend([httpx.Response(200, json={"models": None}), httpx.Response(200, json={"license": "MIT"})])
    assert await client.ps() == []
    assert await client.show("tinyllama:latest") == {"license": "MIT"}


async def test_a_pull_tells_its_steps(client: OllamaClient, server: ScriptedOllama) -> None:
    server.pull_lines = [
        {"status": "pulling manifest"},
        {"status": "pulling 797b70c4edf8", "digest": "sha256:797b", "total": 100, "completed": 40},
        {"status": "success"},
    ]
    steps: list[PullProgress] = []
    await client.pull("m", steps.append)
    assert steps == [
        PullProgress("pulling manifest"),
        PullProgress("pulling 797b70c4edf8", 40, 100),
        PullProgress("success"),
    ]


async def test_a_pull_that_fails_in_mid_stream_names_the_remedy(client: OllamaClient, server: ScriptedOllama) -> None:
    server.pull_lines = [{"status": "pulling manifest"}, {"error": "file does not exist"}]
    with pytest.raises(ModelNotFound, match="file does not exist; run `ollama pull m`"):
        await client.pull("m")


async def test_a_pull_that_ends_without_success_is_incomplete(client: OllamaClient, server: ScriptedOllama) -> None:
    server.pull_lines = [{"status": "pulling manifest"}]
    with pytest.raises(IncompleteStream, match="pulling manifest"):
        await client.pull("m")


async def test_a_pull_that_falls_silent_times_out() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        return streamed({"status": "pulling manifest"}, hold=asyncio.Event())

    client = OllamaClient("http://ollama", transport=httpx.MockTransport(handle), timeouts=ModelTimeouts(load=0.01))
    with pytest.raises(ModelTimeout, match="fell silent"):
        await client.pull("m")


async def test_a_busy_server_says_when_to_come_back(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(httpx.Response(503, json={"error": "server busy"}, headers={"Retry-After": "7"}))
    with pytest.raises(ModelOverloaded) as caught:
        await client.complete(ASK)
    assert caught.value.retry_after == 7.0


async def test_a_refused_question_raises_what_the_reply_means(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(refusal(400, "model is required"))
    with pytest.raises(BadModelRequest, match="model is required"):
        await client.show("")


async def test_a_control_question_has_a_short_timeout_of_its_own() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    timeouts = ModelTimeouts(control=0.01)
    client = OllamaClient("http://ollama", transport=httpx.MockTransport(hang), timeouts=timeouts)
    with pytest.raises(ModelTimeout):
        await client.version()


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


VERSION_REPLY = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"version":"0.0.0"}'


async def test_a_proxy_of_the_environment_catches_no_server_nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TinyHttp(VERSION_REPLY) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        async with OllamaClient(server.url) as client:
            assert await client.version() == VERSION
    assert server.request_lines == ["GET /api/version HTTP/1.1"]


async def test_a_distant_server_is_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with TinyHttp(VERSION_REPLY) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with OllamaClient("http://models.example:11434") as client:
            assert await client.version() == VERSION
    assert proxy.request_lines == ["GET http://models.example:11434/api/version HTTP/1.1"]


async def test_a_whole_answer_leaves_its_connection_for_the_next() -> None:
    async with TinyHttp(chunked({"response": "all", **DONE})) as tcp, OllamaClient(tcp.url) as client:
        await client.complete(ASK)
        await client.complete(ASK)
        assert (tcp.connections, len(tcp.request_lines)) == (1, 2)


async def test_cancelling_closes_the_connection_so_that_the_server_is_free() -> None:
    async with (
        TinyHttp(chunked({"response": "half", "done": False}, end=False)) as tcp,
        OllamaClient(tcp.url) as client,
    ):
        begun = asyncio.Event()

        async def hear(_: str) -> None:
            begun.set()

        task = asyncio.create_task(client.complete(ASK, hear), name="asking")
        async with asyncio.timeout(5):
            await begun.wait()
            task.cancel()
            await tcp.left.wait()
            await asyncio.wait([task])


async def test_a_refused_connection_is_unreachable_with_a_remedy() -> None:
    async with TinyHttp(b"") as tcp:
        url = tcp.url
    async with OllamaClient(url) as client:
        with pytest.raises(ModelUnreachable, match="start Ollama there, or set OLLAMA_URL"):
            await client.version()
