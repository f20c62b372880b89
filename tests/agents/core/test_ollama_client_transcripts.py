"""Every recorded reply of a real Ollama, played to the client: what it returns, or whose fault it says it is."""

import ast
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.core.model.completion import Completion, Embeddings
from agents.core.model.errors import (
    BadModelRequest,
    ModelError,
    ModelNotFound,
    ModelRefused,
    ModelServerError,
    NotSupported,
    is_server_failure,
)
from agents.core.model.requests import ChatRequest, GenerateRequest
from agents.core.ollama_client import OllamaClient
from bus.errors import HandlerError, NotNowError, PermanentError, RetryableError

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "model" / "ollama_transcripts.json").read_text())
"""`request` names the question, `body` is what the server sent. The long reply of /api/show alone was not kept."""

HOPELESS, LATER, PASSING = PermanentError, NotNowError, RetryableError

MEANING: list[tuple[str, type[ModelError], type[HandlerError], bool]] = [
    # in the reply, what it means, may it be tried again, is it the server's fault
    ("invalid format", BadModelRequest, HOPELESS, False),
    ("must be of type float32", BadModelRequest, HOPELESS, False),
    ("does not support thinking", NotSupported, HOPELESS, False),
    ("does not support tools", NotSupported, HOPELESS, False),
    ("Multimodal data provided", NotSupported, HOPELESS, False),
    ("This server does not support embeddings", NotSupported, HOPELESS, False),
    ("invalid input type", BadModelRequest, HOPELESS, False),
    ("404 page not found", ModelRefused, LATER, True),
    ("model '' not found", BadModelRequest, HOPELESS, False),
    ("not found", ModelNotFound, HOPELESS, False),
    ("model is required", BadModelRequest, HOPELESS, False),
    ("invalid model name", BadModelRequest, HOPELESS, False),
    ('"pulling manifest"}\n{"error":"pull model manifest', ModelNotFound, HOPELESS, False),
    ("no such host", ModelServerError, PASSING, True),
    ("missing request body", BadModelRequest, HOPELESS, False),
    ("unexpected EOF", BadModelRequest, HOPELESS, False),
    ("json: cannot unmarshal", BadModelRequest, HOPELESS, False),
    ("405 method not allowed", ModelRefused, LATER, True),
    ("time: invalid duration", BadModelRequest, HOPELESS, False),
    ("Unsupported type: 'bool'", BadModelRequest, HOPELESS, False),
]


def is_refusal(record: dict[str, Any]) -> bool:
    return record["status"] != 200 or '{"error"' in record["body"]


def name_of(record: dict[str, Any]) -> str:
    return str(record["request"])[:70]


def answered(path: str) -> list[dict[str, Any]]:
    return [record for record in RECORDED if not is_refusal(record) and record["request"].split()[1] == path]


def replaying(record: dict[str, Any]) -> OllamaClient:
    headers = {"content-type": record["content_type"]}
    reply = httpx.Response(record["status"], content=record["body"].encode(), headers=headers)
    return OllamaClient("http://ollama", transport=httpx.MockTransport(lambda _: reply))


def body_of(record: dict[str, Any]) -> dict[str, Any]:
    text = record["request"].split(" ", 2)[2]
    try:
        value = json.loads(ast.literal_eval(text) if text.startswith("b'") else text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


Ask = Callable[[OllamaClient, str, dict[str, Any]], Awaitable[object]]

QUESTIONS: dict[str, Ask] = {
    "/api/generate": lambda client, model, body: client.complete(
        GenerateRequest(model=model, prompt=body.get("prompt", ""))
    ),
    "/api/chat": lambda client, model, body: client.complete(
        ChatRequest(model=model, messages=body.get("messages", []))
    ),
    "/api/embed": lambda client, model, body: client.embed(model, body.get("input", [])),
    "/api/embeddings": lambda client, model, body: client.embeddings(model, body.get("prompt", "")),
    "/api/show": lambda client, model, _: client.show(model),
    "/api/pull": lambda client, model, _: client.pull(model),
    "/api/tags": lambda client, _, __: client.tags(),
    "/api/ps": lambda client, _, __: client.ps(),
    "/api/version": lambda client, _, __: client.version(),
    "/api/nope": lambda client, _, __: client.version(),
}


async def ask(record: dict[str, Any]) -> object:
    """Ask the recorded question as the client can, and be answered as it was then."""
    body = body_of(record)
    question = QUESTIONS[record["request"].split()[1]]
    return await question(replaying(record), str(body.get("model", "")), body)


@pytest.mark.parametrize("record", [r for r in RECORDED if is_refusal(r)], ids=name_of)
async def test_each_recorded_refusal_says_whose_fault_it_is_and_whether_it_may_be_tried_again(
    record: dict[str, Any],
) -> None:
    body = record["body"].replace('\\"', '"')
    _, kind, fate, is_fault = next(row for row in MEANING if row[0] in body)
    with pytest.raises(ModelError) as caught:
        await ask(record)
    assert type(caught.value) is kind
    assert isinstance(caught.value, fate)
    assert is_server_failure(caught.value) is is_fault


def test_no_meaning_is_left_that_nothing_recorded_has() -> None:
    bodies = [record["body"].replace('\\"', '"') for record in RECORDED if is_refusal(record)]
    used = {next(row[0] for row in MEANING if row[0] in body) for body in bodies}
    assert used == {row[0] for row in MEANING}


@pytest.mark.parametrize("record", answered("/api/generate") + answered("/api/chat"), ids=name_of)
async def test_each_recorded_answer_is_returned_whole(record: dict[str, Any]) -> None:
    sent = [json.loads(line) for line in record["body"].splitlines()]
    pieces = [line.get("response", "") + line.get("message", {}).get("content", "") for line in sent]
    completion = await ask(record)
    assert isinstance(completion, Completion)
    assert completion.text == "".join(pieces)
    assert completion.done_reason == sent[-1]["done_reason"]
    assert completion.usage.tokens_out == sent[-1].get("eval_count", 0)
    assert completion.usage.generation_time == pytest.approx(sent[-1].get("eval_duration", 0) / 1e9)


@pytest.mark.parametrize("record", answered("/api/tags") + answered("/api/ps"), ids=name_of)
async def test_each_recorded_list_of_models_is_returned(record: dict[str, Any]) -> None:
    assert await ask(record) == json.loads(record["body"])["models"]


@pytest.mark.parametrize("record", answered("/api/embed") + answered("/api/embeddings"), ids=name_of)
async def test_each_recorded_reply_without_vectors_is_returned_without_any(record: dict[str, Any]) -> None:
    result = await ask(record)
    assert isinstance(result, Embeddings)
    assert result.vectors == ()


async def test_the_recorded_version_is_returned() -> None:
    assert [await ask(record) for record in answered("/api/version")] == ["0.0.0"]


def test_no_record_is_left_out() -> None:
    asked = {"/api/generate", "/api/chat", "/api/tags", "/api/ps", "/api/embed", "/api/embeddings", "/api/version"}
    assert {record["request"].split()[1] for record in RECORDED if not is_refusal(record)} == asked
    assert len(RECORDED) == 45
