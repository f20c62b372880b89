"""CoordinatorClient: posts JSON to the coordinator, and says in one word what came of it. No retry happens here."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import httpx

from agents.core.model.server_url import parse_url

REQUEST_SECONDS: Final = 3.0
"""What one request may take from connecting to the end of its answer: it is answered in milliseconds or not at all."""

CONNECTIONS: Final = 6
"""Connections that are kept, and requests at once, for all agents of a host."""

_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Answer(StrEnum):
    """What the coordinator made of a request."""

    DONE = "done"
    UNKNOWN = "unknown"
    """It does not know the agent, or the path."""
    REFUSED = "refused"
    AWAY = "away"
    """It did not answer, or said that it cannot at the moment."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and why it is not DONE, in words that show no address."""

    answer: Answer
    reason: str


class CoordinatorClient:
    """Posts to one coordinator over one pool of connections. Used inside `async with`.

    As for model servers, a proxy of the environment is used for distant addresses alone.
    """

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Prepare a client; nothing is connected before the first request.

        Raises:
            ValueError: `url` is no http address. The text may speak of a model server; it shows no password.
        """
        parsed = parse_url(url)
        self.safe_url = parsed.address
        self._http = httpx.AsyncClient(
            base_url=parsed.address,
            auth=parsed.credentials,
            headers={"Content-Type": "application/json"},
            timeout=REQUEST_SECONDS,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            transport=transport,
            trust_env=not parsed.is_near,
            verify=parsed.may_use_tls,
        )

    async def post(self, path: str, body: bytes) -> Reply:
        """Send a JSON body; raises nothing but CancelledError."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):  # httpx bounds each read, not all of them together
                response = await self._http.post(path, content=body)
        except (TimeoutError, httpx.TimeoutException):
            return Reply(Answer.AWAY, f"no answer within {REQUEST_SECONDS:g} s")
        except httpx.HTTPError as error:
            # Its own text may hold an address.
            return Reply(Answer.AWAY, f"no connection ({type(error).__name__})")
        return Reply(answer_of(response.status_code), f"HTTP {response.status_code}")

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._http.aclose()


def answer_of(status: int) -> Answer:
    """Return what an HTTP status means: older agents take 200 alone for success."""
    if status == HTTPStatus.OK:
        return Answer.DONE
    if status == HTTPStatus.NOT_FOUND:
        return Answer.UNKNOWN
    if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Answer.AWAY
    return Answer.REFUSED
