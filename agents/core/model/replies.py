"""The one place that says which error a reply of Ollama means. Pure; recorded replies are its table of tests."""

import json
from http import HTTPStatus
from typing import Final

from agents.core.model.errors import (
    BadModelRequest,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelRefused,
    ModelServerError,
    ModelUnreachable,
    NotSupported,
)

_SHOWN: Final = 300
"""Characters of a server's text in our own error: enough for any of Ollama's, too short for a proxy's HTML page."""

_OVERLOADED: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_AWAY: Final = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
"""Without the API's own body, these come from a proxy that finds no server behind it."""

_REFUSED: Final = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
}
_GONE: Final = {HTTPStatus.REQUEST_TIMEOUT, 499}
"""The server, or a proxy before it, lost us: 499 is what Ollama and nginx log for a client that went away."""

_UNSUPPORTED: Final = ("does not support", "multimodal")
_NO_MEMORY: Final = "requires more system memory"
"""In a 500: the model does not fit at present (ollama/ollama#10920). The server is alive and serves others."""
_REQUEST_FAULTS: Final = ("invalid format", "must be of type")
"""Texts of a 500 that is the request's fault: Ollama answers so to a bad `format` and to options of a wrong type."""


def error_of_reply(status: int, body: bytes, *, model: str = "", retry_after: str | None = None) -> ModelError:
    """Return the error that a reply other than 200 means. `retry_after` is the header of that name."""
    is_api, text = _text_of(body)
    if status in _AWAY and not is_api:
        return ModelUnreachable(f"a proxy answers in the model server's place ({status}: {text})")
    if status in _OVERLOADED:
        return ModelOverloaded(f"the model server is busy ({status}): {text}", retry_after=_seconds(retry_after))
    if status == HTTPStatus.NOT_FOUND and is_api:
        return ModelNotFound(model) if model else BadModelRequest(f"the model server knows no such model: {text}")
    if status in _REFUSED or status == HTTPStatus.NOT_FOUND or status < HTTPStatus.BAD_REQUEST:
        return ModelRefused(f"the address is no Ollama that lets us in ({status}: {text}): check OLLAMA_URL")
    return _error_of_text(status, text)


def error_in_stream(text: str) -> ModelError:
    """Return the error that a line `{"error": ...}` within a 200 means: what a 500 of that text would mean."""
    return _error_of_text(HTTPStatus.INTERNAL_SERVER_ERROR, text)


def _error_of_text(status: int, text: str) -> ModelError:
    lowered = text.lower()
    if status == HTTPStatus.NOT_IMPLEMENTED or any(words in lowered for words in _UNSUPPORTED):
        return NotSupported(f"the model cannot do that: {text}")
    if _NO_MEMORY in lowered:
        return ModelOverloaded(f"the model server has no room for the model: {text}; free memory or name a smaller one")
    is_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _GONE
    if is_server and not any(words in lowered for words in _REQUEST_FAULTS):
        return ModelServerError(f"the model server failed ({status}): {text}")
    return BadModelRequest(f"the model server refuses the request ({status}): {text}")


def _text_of(body: bytes) -> tuple[bool, str]:
    """Return whether the body is the API's own `{"error": ...}`, and its text; errors of a runner lie one deeper."""
    try:
        error = json.loads(body)["error"]
        while isinstance(error, str) and error.startswith("{"):
            error = json.loads(error)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False, body.decode(errors="replace").strip()[:_SHOWN]
    if isinstance(error, dict):
        error = error.get("message", error)
    return True, str(error)[:_SHOWN]


def _seconds(header: str | None) -> float | None:
    """Read Retry-After in seconds; its other form, a date, is left to the caller's own back-off."""
    return float(header) if header is not None and header.isdecimal() else None
