"""The official client and ours get the same answers from the same server, at every endpoint that both have."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import ollama
import pytest
from ollama import AsyncClient, ResponseError

from agents.core.model.completion import Completion
from agents.core.model.errors import (
    BadModelRequest,
    ModelError,
    ModelNotFound,
    NotSupported,
)
from agents.core.model.requests import ChatRequest, GenerateRequest
from agents.core.ollama_client import OllamaClient, PullProgress
from agents.local_model import LocalModelServer
from tests.support.tiny_http import TinyHttp, chunked

MODEL, EMBEDDER = "smollm2:135m", "all-minilm"
OPTIONS = {"temperature": 0, "seed": 1, "num_predict": 16}
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is 'great' positive?"}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["good", "bad"]}},
    "required": ["mood"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}

Theirs = Callable[[AsyncClient], Awaitable[Any]]
Ours = Callable[[OllamaClient], Awaitable[Any]]


@pytest.fixture
async def official(model_server: LocalModelServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(host=model_server.url, timeout=30) as client:
        yield client


@pytest.fixture
async def client(model_server: LocalModelServer) -> AsyncIterator[OllamaClient]:
    async with OllamaClient(model_server.url) as client:
        yield client


def told_by(reply: ollama.GenerateResponse | ollama.ChatResponse) -> tuple[object, ...]:
    """What the official client says of an answer; durations differ from run to run."""
    text = reply.message.content if isinstance(reply, ollama.ChatResponse) else reply.response
    return reply.model, text, reply.done_reason, reply.prompt_eval_count, reply.eval_count


def words_of(error: ResponseError) -> str:
    """The sentence of a refusal; those of a runner lie one deeper in it, where the official client leaves them."""
    found = re.search(r'"message":"([^"]+)"', error.error)
    return found.group(1) if found else error.error


def told(completion: Completion) -> tuple[object, ...]:
    usage = completion.usage
    return completion.model, completion.text, completion.done_reason, usage.tokens_in, usage.tokens_out


@pytest.mark.parametrize(
    "fields",
    [{}, {"system": "Be brief."}, {"raw": True}, {"format": "json"}, {"format": SCHEMA}, {"think": False}],
    ids=["prompt", "system", "raw", "json", "schema", "no thinking"],
)
async def test_generate(official: AsyncClient, client: OllamaClient, fields: dict[str, Any]) -> None:
    theirs = await official.generate(MODEL, "The capital of France is", options=OPTIONS, **fields)
    request = GenerateRequest(model=MODEL, prompt="The capital of France is", options=OPTIONS, **fields)
    assert told(await client.complete(request)) == told_by(theirs)
    assert theirs.response


@pytest.mark.parametrize("fields", [{}, {"format": "json"}, {"format": SCHEMA}], ids=["chat", "json", "schema"])
async def test_chat(official: AsyncClient, client: OllamaClient, fields: dict[str, Any]) -> None:
    theirs = await official.chat(MODEL, MESSAGES, options=OPTIONS, **fields)
    ours = await client.complete(ChatRequest(model=MODEL, messages=MESSAGES, options=OPTIONS, **fields))
    assert told(ours) == told_by(theirs)
    assert ours.message == theirs.message.model_dump(exclude_none=True)


async def test_the_pieces_of_an_answer(official: AsyncClient, client: OllamaClient) -> None:
    pieces: list[str] = []

    async def hear(text: str) -> None:
        pieces.append(text)

    theirs = [part.response async for part in await official.generate(MODEL, "Hi", options=OPTIONS, stream=True)]
    await client.complete(GenerateRequest(model=MODEL, prompt="Hi", options=OPTIONS), hear)
    assert pieces == [text for text in theirs if text]
    assert len(pieces) > 1


async def test_thoughts_and_calls_of_tools() -> None:
    call = {"function": {"name": "f", "arguments": {"x": 1, "y": ["z"]}}}
    stream = chunked(
        {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "so"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"},
    )
    async with TinyHttp(stream) as server, AsyncClient(host=server.url) as official, OllamaClient(server.url) as client:
        theirs = [part.message async for part in await official.chat("m", MESSAGES, tools=[TOOL], stream=True)]
        ours = await client.complete(ChatRequest(model="m", messages=MESSAGES, tools=[TOOL]))
    assert ours.text == "".join(message.content or "" for message in theirs)
    assert ours.thinking == "".join(message.thinking or "" for message in theirs)
    assert list(ours.tool_calls) == [item.model_dump() for message in theirs for item in message.tool_calls or ()]


@pytest.mark.parametrize("inputs", [["The cat sat on the mat", "Markets fell"], ["one"], []], ids=["two", "one", "no"])
async def test_embed(official: AsyncClient, client: OllamaClient, inputs: list[str]) -> None:
    theirs = await official.embed(EMBEDDER, inputs)
    ours = await client.embed(EMBEDDER, inputs)
    assert [list(vector) for vector in ours.vectors] == [pytest.approx(list(vector)) for vector in theirs.embeddings]
    assert ours.usage.tokens_in == (theirs.prompt_eval_count or 0)
    assert len(ours.vectors) == len(inputs)


async def test_embed_with_fewer_dimensions(official: AsyncClient, client: OllamaClient) -> None:
    theirs = await official.embed(EMBEDDER, ["The cat sat on the mat"], dimensions=64)
    ours = await client.embed(EMBEDDER, ["The cat sat on the mat"], dimensions=64)
    assert len(ours.vectors[0]) == 64
    assert list(ours.vectors[0]) == pytest.approx(list(theirs.embeddings[0]))


@pytest.mark.parametrize("prompt", ["The cat sat on the mat", ""], ids=["text", "no text"])
async def test_embeddings(official: AsyncClient, client: OllamaClient, prompt: str) -> None:
    theirs = await official.embeddings(EMBEDDER, prompt)
    ours = await client.embeddings(EMBEDDER, prompt)
    assert [number for vector in ours.vectors for number in vector] == pytest.approx(list(theirs.embedding))
    assert len(ours.vectors) == bool(prompt)


async def test_list_and_show(official: AsyncClient, client: OllamaClient) -> None:
    assert ollama.ListResponse.model_validate({"models": await client.tags()}) == await official.list()
    for model in (MODEL, EMBEDDER):
        assert ollama.ShowResponse.model_validate(await client.show(model)) == await official.show(model)


async def test_ps_preload_and_unload(official: AsyncClient, client: OllamaClient) -> None:
    await client.preload(MODEL, {"num_ctx": 512}, keep_alive="10m")
    theirs = await official.ps()
    assert [(model.model, model.context_length) for model in theirs.models] == [(MODEL, 512)]
    assert ollama.ProcessResponse.model_validate({"models": await client.ps()}) == theirs
    assert (await official.generate(MODEL, options={"num_ctx": 512}, keep_alive="10m")).done_reason == "load"
    await client.unload(MODEL)
    assert (await official.ps()).models == []
    assert await client.ps() == []


async def test_pull(official: AsyncClient, client: OllamaClient) -> None:
    steps: list[PullProgress] = []
    theirs = [
        PullProgress(step.status or "", step.completed or 0, step.total or 0, step.digest or "")
        async for step in await official.pull("tinyllama", stream=True)
    ]
    await client.pull("tinyllama", steps.append)
    assert steps == theirs
    assert steps[-1].status == "success"


REFUSALS: list[tuple[str, Theirs, Ours, int, type[ModelError]]] = [
    (
        "generate with an unknown model",
        lambda official: official.generate("nope", "Hi"),
        lambda client: client.complete(GenerateRequest(model="nope", prompt="Hi")),
        404,
        ModelNotFound,
    ),
    (
        "chat with an unknown model",
        lambda official: official.chat("nope", MESSAGES),
        lambda client: client.complete(ChatRequest(model="nope", messages=MESSAGES)),
        404,
        ModelNotFound,
    ),
    (
        "embed with an unknown model",
        lambda official: official.embed("nope", ["Hi"]),
        lambda client: client.embed("nope", ["Hi"]),
        404,
        ModelNotFound,
    ),
    (
        "embeddings with an unknown model",
        lambda official: official.embeddings("nope", "Hi"),
        lambda client: client.embeddings("nope", "Hi"),
        404,
        ModelNotFound,
    ),
    (
        "show of an unknown model",
        lambda official: official.show("nope"),
        lambda client: client.show("nope"),
        404,
        ModelNotFound,
    ),
    (
        "pull of an unknown model",
        lambda official: official.pull("nope"),
        lambda client: client.pull("nope"),
        500,
        ModelNotFound,
    ),
    (
        "load of an unknown model",
        lambda official: official.generate("nope", keep_alive="1m"),
        lambda client: client.preload("nope", keep_alive="1m"),
        404,
        ModelNotFound,
    ),
    (
        "a bad duration",
        lambda official: official.generate(MODEL, keep_alive="abc"),
        lambda client: client.preload(MODEL, keep_alive="abc"),
        400,
        BadModelRequest,
    ),
    (
        "an option of a wrong type",
        lambda official: official.generate(MODEL, "Hi", options={"temperature": "hot"}),
        lambda client: client.complete(GenerateRequest(model=MODEL, prompt="Hi", options={"temperature": "hot"})),
        500,
        BadModelRequest,
    ),
    (
        "thinking",
        lambda official: official.chat(MODEL, MESSAGES, think=True),
        lambda client: client.complete(ChatRequest(model=MODEL, messages=MESSAGES, think=True)),
        400,
        NotSupported,
    ),
    (
        "tools",
        lambda official: official.chat(MODEL, MESSAGES, tools=[TOOL]),
        lambda client: client.complete(ChatRequest(model=MODEL, messages=MESSAGES, tools=[TOOL])),
        400,
        NotSupported,
    ),
    (
        "images",
        lambda official: official.generate(MODEL, "Hi", images=["aGVsbG8="]),
        lambda client: client.complete(GenerateRequest(model=MODEL, prompt="Hi", images=["aGVsbG8="])),
        400,
        NotSupported,
    ),
    (
        "embed with a model that generates",
        lambda official: official.embed(MODEL, ["Hi"]),
        lambda client: client.embed(MODEL, ["Hi"]),
        501,
        NotSupported,
    ),
    (
        "chat with a model for embeddings",
        lambda official: official.chat(EMBEDDER, MESSAGES),
        lambda client: client.complete(ChatRequest(model=EMBEDDER, messages=MESSAGES)),
        400,
        NotSupported,
    ),
    (
        "too long an input",
        lambda official: official.embed(EMBEDDER, ["word " * 300], truncate=False, options={"num_ctx": 256}),
        lambda client: client.embed(EMBEDDER, ["word " * 300], {"num_ctx": 256}, truncate=False),
        400,
        BadModelRequest,
    ),
]


@pytest.mark.parametrize(("theirs", "ours", "status", "kind"), [pytest.param(*row, id=name) for name, *row in REFUSALS])
async def test_refusals(
    official: AsyncClient, client: OllamaClient, theirs: Theirs, ours: Ours, status: int, kind: type[ModelError]
) -> None:
    with pytest.raises(ResponseError) as refused:
        await theirs(official)
    with pytest.raises(kind) as caught:
        await ours(client)
    assert refused.value.status_code == status
    assert type(caught.value) is kind
    if kind is not ModelNotFound:
        assert words_of(refused.value) in str(caught.value)


async def test_a_word_that_is_no_format_is_refused_by_both(official: AsyncClient, client: OllamaClient) -> None:
    with pytest.raises(ValueError, match="format"):  # before it asks the server
        await official.chat(MODEL, MESSAGES, format="yaml")  # type: ignore[call-overload]
    with pytest.raises(BadModelRequest, match="invalid format"):
        await client.complete(ChatRequest(model=MODEL, messages=MESSAGES, format="yaml"))
