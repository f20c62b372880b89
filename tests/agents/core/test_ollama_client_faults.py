"""What the client makes of failures: whose fault, and nothing of httpx."""

import httpx
import pytest

from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelError,
    ModelOverloaded,
    ModelServerError,
    ModelUnreachable,
)
from agents.core.model.requests import GenerateRequest
from agents.core.ollama_client import OllamaClient
from tests.support.scripted_ollama import Body, ScriptedOllama, refusal, streamed

ASK = GenerateRequest(model="tinyllama:latest", prompt="Hi")


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


async def test_a_busy_server_says_when_to_come_back(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(httpx.Response(503, json={"error": "server busy"}, headers={"Retry-After": "7"}))
    with pytest.raises(ModelOverloaded) as caught:
        await client.complete(ASK)
    assert caught.value.retry_after == 7.0


async def test_a_refused_question_raises_what_the_reply_means(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(refusal(400, "model is required"))
    with pytest.raises(BadModelRequest, match="model is required"):
        await client.show("")
