"""Requests as the handlers see them, read from JSON and checked in the real server's order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.local_model.errors import ReplyError
from agents.local_model.go_json import Body, parse_body, parse_keep_alive

THINK_LEVELS = ("high", "medium", "low", "max")


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class TextRequest:
    """A request for text, from /api/generate or /api/chat.

    Attributes:
        model: The name as sent; replies echo it.
        messages: The chat; of /api/generate the system prompt and the prompt. Empty if only loading was asked for.
        raw_prompt: The prompt as it goes to the model, without a template, or None.
        context: Tokens of an earlier exchange that come before the prompt.
        keep_alive: Seconds, negative for ever; None if not given.
        format: `json`, a JSON Schema, or what the client sent instead.
        top_logprobs: How many alternatives to report for each token; None for no log-probabilities.
    """

    model: str
    messages: Sequence[Message]
    raw_prompt: str | None
    context: Sequence[int]
    stream: bool
    options: Mapping[str, Any]
    keep_alive: float | None
    format: object
    thinks: bool
    has_images: bool
    has_tools: bool
    has_suffix: bool
    truncate: bool
    top_logprobs: int | None

    @property
    def only_loads(self) -> bool:
        """Whether there is nothing to answer: the model is to be loaded, or unloaded."""
        return not self.messages and not self.raw_prompt

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """JSON Schema of the answer, or None.

        Raises:
            ReplyError: 500, `format` is neither "json" nor an object.
        """
        if self.format in (None, ""):
            return None
        if self.format == "json":
            return {"type": "object"}
        if isinstance(self.format, dict):
            return self.format
        raw = json.dumps(json.dumps(self.format))
        media_type = "application/json" if self.stream else "application/json; charset=utf-8"
        raise ReplyError(
            500, f'invalid format: {raw}; expected "json" or a valid JSON Schema object', media_type=media_type
        )


def parse_generate(data: bytes) -> TextRequest:
    """Read the body of /api/generate.

    Raises:
        ReplyError: 400, with the real server's sentence.
    """
    body = parse_body(data, "GenerateRequest")
    prompt, system = body.text("prompt"), body.text("system")
    raw = body.flag("raw", default=False)
    context = [int(token) for token in body.items("context", "[]int")]
    messages = [Message("system", system)] * bool(system) + [Message("user", prompt)]
    return TextRequest(
        **_common(body),
        messages=messages if prompt and not raw else (),
        raw_prompt=prompt if raw else None,
        context=context,
        has_images=bool(body.items("images", "[]api.ImageData")),
        has_tools=False,
        has_suffix=bool(body.text("suffix")),
    )


def parse_chat(data: bytes) -> TextRequest:
    """Read the body of /api/chat.

    Raises:
        ReplyError: 400, with the real server's sentence.
    """
    body = parse_body(data, "ChatRequest")
    found = body.objects("messages", "api.Message")
    return TextRequest(
        **_common(body),
        messages=[Message(item.text("role"), item.text("content")) for item in found],
        raw_prompt=None,
        context=(),
        has_images=any(item.items("images", "[]api.ImageData") for item in found),
        has_tools=bool(body.items("tools", "api.Tools")),
        has_suffix=False,
    )


def _common(body: Body) -> dict[str, Any]:
    wants_logprobs, top = body.flag("logprobs", default=False), body.number("top_logprobs")
    return {
        "model": body.text("model"),
        "stream": body.flag("stream", default=True),
        "options": body.mapping("options"),
        "keep_alive": parse_keep_alive(body.raw("keep_alive")),
        "format": body.raw("format"),
        "thinks": _thinks(body.raw("think")),
        "truncate": body.flag("truncate", default=True),
        "top_logprobs": top if wants_logprobs else None,
    }


def _thinks(value: object) -> bool:
    if isinstance(value, str) and value not in THINK_LEVELS:
        levels = '"high", "medium", "low", "max", true, or false'
        raise ReplyError(400, f"invalid think value: {json.dumps(value)} (must be {levels})")
    if value is not None and not isinstance(value, bool | str):
        raise ReplyError(400, 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    return bool(value)


@dataclass(frozen=True)
class EmbedRequest:
    """A request for vectors, from /api/embed or /api/embeddings."""

    model: str
    inputs: Sequence[str]
    options: Mapping[str, Any]
    keep_alive: float | None
    truncate: bool
    dimensions: int


def parse_embed(data: bytes) -> EmbedRequest:
    """Read the body of /api/embed.

    Raises:
        ReplyError: 400, with the real server's sentence.
    """
    body = parse_body(data, "EmbedRequest")
    return _embed(body, _inputs(body.raw("input")), body.flag("truncate", default=True), body.number("dimensions"))


def parse_embeddings(data: bytes) -> EmbedRequest:
    """Read the body of /api/embeddings, the older endpoint.

    Raises:
        ReplyError: 400, with the real server's sentence.
    """
    body = parse_body(data, "EmbeddingRequest")
    return _embed(body, _inputs(body.text("prompt")), truncate=True, dimensions=0)


def _embed(body: Body, inputs: Sequence[str], truncate: bool, dimensions: int) -> EmbedRequest:
    keep_alive = parse_keep_alive(body.raw("keep_alive"))
    return EmbedRequest(body.text("model"), inputs, body.mapping("options"), keep_alive, truncate, dimensions)


def _inputs(value: object) -> Sequence[str]:
    found = [value] if isinstance(value, str) and value else value or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ReplyError(400, "invalid input type")
    return found
