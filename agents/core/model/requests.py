"""What can be asked of a model, as frozen values with the JSON that `/api/generate` and `/api/chat` take.

`keep_alive` is no field: an explicit value sticks to the runner and can lock out every other model, so only
`preload` and `unload` of the client send one. `stream` is none either: it is always on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from agents.core.model.errors import BadModelRequest

Json = dict[str, Any]

GENERATE_FIELDS: Final = ("format", "think", "suffix", "template", "raw", "images")
CHAT_FIELDS: Final = ("format", "think", "tools")
"""Keyword arguments that are fields of the request; all others are options of the model."""

_NEVER_OPTIONS: Final = {
    "keep_alive": "use preload() or unload()",
    "stream": "answers always stream; pass on_chunk to complete() to see them come",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelRequest:
    model: str = ""
    """Empty: the pool's default model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    format: str | Mapping[str, Any] | None = None
    """`json`, or a JSON Schema as a mapping."""
    think: bool | str | None = None

    def _common(self) -> Json:
        fields = {"model": self.model, "options": dict(self.options), "format": self.format, "think": self.think}
        return {"stream": True} | _given(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest(_ModelRequest):
    """One prompt, one answer. `images` are base64 texts."""

    path: ClassVar = "/api/generate"

    prompt: str
    system: str | None = None
    suffix: str | None = None
    template: str | None = None
    raw: bool | None = None
    images: Sequence[str] = ()

    def to_json(self) -> Json:
        """Return the request's body."""
        names = ("prompt", "system", "suffix", "template", "raw")
        own = {name: getattr(self, name) for name in names} | {"images": list(self.images)}
        return self._common() | _given(own)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(_ModelRequest):
    """A conversation: mappings with `role` and `content`, as Ollama's API has them; `tools` likewise."""

    path: ClassVar = "/api/chat"

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> Json:
        """Return the request's body."""
        own = {"messages": [dict(message) for message in self.messages], "tools": [dict(tool) for tool in self.tools]}
        return self._common() | _given(own)


ModelRequest = GenerateRequest | ChatRequest


def generate_request(
    prompt: str, model: str | None, system: str | None, temperature: float, max_tokens: int, options: Mapping[str, Any]
) -> GenerateRequest:
    """Build a request of the keyword arguments of docs/names.md; see `split_options` for `options`."""
    fields, chosen = split_options(options, GENERATE_FIELDS)
    chosen = {"temperature": temperature, "num_predict": max_tokens} | chosen
    return GenerateRequest(model=model or "", prompt=prompt, system=system, options=chosen, **fields)


def chat_request(
    messages: Sequence[Mapping[str, Any]],
    model: str | None,
    temperature: float,
    max_tokens: int,
    options: Mapping[str, Any],
) -> ChatRequest:
    """Build a request of the keyword arguments of docs/names.md; see `split_options` for `options`."""
    fields, chosen = split_options(options, CHAT_FIELDS)
    chosen = {"temperature": temperature, "num_predict": max_tokens} | chosen
    return ChatRequest(model=model or "", messages=messages, options=chosen, **fields)


def split_options(given: Mapping[str, Any], fields: Sequence[str]) -> tuple[Json, Json]:
    """Split keyword arguments into fields of the request and options of the model; None means not given.

    Raises:
        BadModelRequest: `keep_alive` or `stream` is among them.
    """
    for name, remedy in _NEVER_OPTIONS.items():
        if name in given:
            raise BadModelRequest(f"{name}={given[name]!r} cannot be sent with a request: {remedy}")
    known = _given(given)
    own = {name: known.pop(name) for name in fields if name in known}
    return own, known


def encode(body: Json) -> bytes:
    """Return a request's body as bytes.

    Raises:
        BadModelRequest: it holds what JSON has no form for, as NaN, bytes or half a surrogate pair.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as exc:
        raise BadModelRequest(f"the request is no JSON ({exc}): send text and numbers, and images as base64") from exc


def _given(fields: Mapping[str, Any]) -> Json:
    """Leave out what was not given: Ollama takes an absent field for its default, an explicit null not always."""
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
