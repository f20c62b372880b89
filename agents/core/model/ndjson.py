"""LineSplitter: lines of a streamed body, whatever the pieces it arrives in; and the object in a line."""

import json
from collections.abc import Iterator

from agents.core.model.errors import ModelServerError
from agents.core.model.requests import Json


class LineSplitter:
    r"""Cuts at `\n` alone. httpx's own line reader also cuts at U+2028, U+0085 and more, which JSON texts may hold."""

    def __init__(self) -> None:
        self._open: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that `data` completes, without empty ones."""
        *complete, rest = data.split(b"\n")
        for line in complete:
            self._open.append(line)
            yield from self.rest()
        self._open.append(rest)

    def rest(self) -> Iterator[bytes]:
        """Yield what has come since the last line's end, if anything."""
        line = b"".join(self._open).strip()
        self._open.clear()
        if line:
            yield line


def parse_object(text: bytes) -> Json:
    """Return the JSON object that `text` holds.

    Raises:
        ModelServerError: it holds none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ModelServerError("the model server's answer is no JSON: is OLLAMA_URL the address of an Ollama?") from exc
    if not isinstance(value, dict):
        raise ModelServerError(f"the model server's answer is a JSON {type(value).__name__} instead of an object")
    return value
