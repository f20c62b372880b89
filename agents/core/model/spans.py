"""The spans of a model's use: the wait for a slot, and the request.

Prompts and answers are told only where somebody asks for that, see `bus.otel.CONTENT_VARIABLE`. The names are those of
OpenTelemetry's conventions for generative AI where these have one, else they begin with `sutazai`.
"""

import json
import time
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from agents.core.model.completion import Completion, Embeddings
from agents.core.model.requests import ChatRequest, ModelRequest
from agents.core.model.task_scope import OnChunk, current_scope
from agents.core.ollama_client import OllamaClient
from bus.tracing import NO_SPAN, Attributes, Kind, Span, tracing
from schemas import Usage

_OPTIONS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "num_predict": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "num_ctx": "sutazai.model.num_ctx",
}
"""Ollama's options that a span tells, all of them numbers."""

_PORTS: Final = {"http": 80, "https": 443}


def slot_wait(model: str, priority: int) -> Span:
    """Begin the span of a wait for a slot, where the work is traced; it is ended by hand."""
    maker = tracing()
    if not maker.ids:
        return NO_SPAN
    return maker.begin("slot wait", lambda: {"gen_ai.request.model": model, "sutazai.task.priority": priority})


async def traced_completion(
    client: OllamaClient, request: ModelRequest, on_chunk: OnChunk | None, *, is_loaded: bool
) -> Completion:
    """Do what `OllamaClient.complete` does, within a span that tells the request, its cost and its failure."""
    operation = "chat" if isinstance(request, ChatRequest) else "text_completion"
    tell = partial(_request, operation, request.model, client, request)
    with tracing().span(f"{operation} {request.model}", Kind.CLIENT, tell) as span:
        hearing = _timed(span, on_chunk) if span.is_recording else on_chunk
        completion = await client.complete(request, hearing, is_loaded=is_loaded)
        span.note(_usage(completion.model, completion.usage))
        span.note({"gen_ai.response.finish_reasons": [completion.done_reason or "unknown"]})
        if tracing().tells_content:
            span.note(_content(request, completion))
    return completion


async def traced_embeddings(client: OllamaClient, model: str, text: str) -> Embeddings:
    """Do what `OllamaClient.embed` does for one text, within a span."""
    with tracing().span(f"embeddings {model}", Kind.CLIENT, partial(_request, "embeddings", model, client)) as span:
        embeddings = await client.embed(model, [text])
        span.note(_usage(embeddings.model, embeddings.usage))
    return embeddings


def _request(operation: str, model: str, client: OllamaClient, request: ModelRequest | None = None) -> Attributes:
    scope, parts = current_scope(), urlsplit(client.safe_url)
    return {
        **({} if request is None else _options(request)),
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": model,
        "gen_ai.agent.name": scope.task.agent if scope is not None and scope.task is not None else None,
        "server.address": parts.hostname,
        "server.port": parts.port or _PORTS.get(parts.scheme),
    }


def _options(request: ModelRequest) -> Attributes:
    given = {name: request.options.get(option) for option, name in _OPTIONS.items()}
    numbers = {name: value for name, value in given.items() if isinstance(value, int | float)}
    kind = "text" if request.format is None else "json"
    return {"gen_ai.request.stream": True, "gen_ai.output.type": kind, **numbers}


def _usage(model: str, usage: Usage) -> Attributes:
    return {
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": usage.tokens_in,
        "gen_ai.usage.output_tokens": usage.tokens_out,
        "sutazai.model.load_time": usage.load_time,
        "sutazai.model.prompt_time": usage.prompt_time,
        "sutazai.model.generation_time": usage.generation_time,
    }


def _content(request: ModelRequest, completion: Completion) -> Attributes:
    """Return what was asked and answered, as JSON in the form of the conventions."""
    if isinstance(request, ChatRequest):
        system, asked = None, [(str(message.get("role")), message.get("content")) for message in request.messages]
    else:
        system, asked = request.system, [("user", request.prompt)]
    messages = [{"role": role, "parts": [_text_part(content)]} for role, content in asked]
    answer = {"role": "assistant", "parts": [_text_part(completion.text)], "finish_reason": completion.done_reason}
    return {
        "gen_ai.system_instructions": json.dumps([_text_part(system)]) if system else None,
        "gen_ai.input.messages": json.dumps(messages),
        "gen_ai.output.messages": json.dumps([answer]),
    }


def _text_part(content: object) -> dict[str, object]:
    return {"type": "text", "content": content}


def _timed(span: Span, on_chunk: OnChunk | None) -> OnChunk:
    """Return a listener that notes when the first text came."""
    began, has_begun = time.monotonic(), False

    async def heard(text: str) -> None:
        nonlocal has_begun
        if not has_begun:
            has_begun = True
            span.note({"gen_ai.response.time_to_first_chunk": time.monotonic() - began})
        if on_chunk is not None:
            await on_chunk(text)

    return heard
