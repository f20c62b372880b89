"""Replies in the real server's shapes: JSON objects, and streams of them, one a line."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agents.local_model.errors import LocalModelError

log = structlog.get_logger(__name__)

JSON: Final = "application/json; charset=utf-8"
Line = Mapping[str, Any]
"""One object of a stream."""


def json_reply(value: object, status: int = 200, media_type: str = JSON) -> Response:
    """Answer with one JSON object."""
    return Response(_encode(value), status, {"content-type": media_type})


def error_reply(status: int, message: str, media_type: str = JSON) -> Response:
    """Answer with an error object."""
    return json_reply({"error": message}, status, media_type)


def plain_reply(status: int, text: str) -> Response:
    """Answer with text, as the real server does for an unknown route."""
    return Response(text, status, {"content-type": "text/plain"})


class NdjsonResponse(Response):
    """A stream of JSON objects, one a line; an error on the way becomes the last line.

    Args:
        first: The first line, awaited before the headers so that an early error keeps its status.
        rest: The other lines; closed in any case.
    """

    def __init__(self, first: Line, rest: AsyncGenerator[Line, None]) -> None:
        super().__init__(headers={"content-type": "application/x-ndjson"})
        del self.headers["content-length"]
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 # Starlette's signature
        """Send the lines."""
        async with aclosing(self._rest) as rest:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._send_line(send, self._first)
            try:
                async for line in rest:
                    await self._send_line(send, line)
            except LocalModelError as error:
                log.warning("stream.broken", reason=str(error))
                await self._send_line(send, {"error": str(error)})
            await send({"type": "http.response.body", "body": b""})

    async def _send_line(self, send: Send, line: Line) -> None:
        await send({"type": "http.response.body", "body": _encode(line) + b"\n", "more_body": True})


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
