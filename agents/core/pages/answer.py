"""Answer: what a page replies."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final, NamedTuple

TEXT: Final = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """A reply of the HTTP server."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


Page = Callable[[], Coroutine[Any, Any, Answer]]
"""Makes the reply to a request, in the event loop."""


def sentence(text: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """Return a reply of one line."""
    return Answer(status, f"{text}\n".encode())
