"""WatchedOllama: a ScriptedOllama whose answers take a while, and that counts how many it gives at once."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from tests.support.scripted_ollama import Json, ScriptedOllama

MODEL_PATHS: Final = frozenset(("/api/generate", "/api/chat", "/api/embed"))


@dataclass(frozen=True, slots=True)
class Answered:
    """One request to a model that was answered, at `at` monotonic seconds."""

    at: float
    is_probe: bool


class WatchedOllama(ScriptedOllama):
    """Begins each answer of a model at once and takes `seconds` for it; a probe, of one token, takes none."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.most_requests = 0
        """At once, probes included."""
        self.most_probes = 0
        """At once."""
        self.answered: list[Answered] = []
        self._running: list[bool] = []

    @property
    def transport(self) -> httpx.MockTransport:
        """What reaches this server."""
        return httpx.MockTransport(self._watched)

    async def _watched(self, request: httpx.Request) -> httpx.Response:
        usual = super().transport.handle_async_request
        if request.url.path not in MODEL_PATHS:
            return await usual(request)
        is_probe = _is_probe(json.loads(request.content))
        with self._counted(is_probe=is_probe):
            response = await usual(request)
        return httpx.Response(response.status_code, stream=_Paced(self._told(response, is_probe=is_probe)))

    async def _told(self, response: httpx.Response, *, is_probe: bool) -> AsyncIterator[bytes]:
        """Give the first part at once and the others when the answer's time is over."""
        with self._counted(is_probe=is_probe):
            is_first = not is_probe
            async for part in response.aiter_raw():
                yield part
                await asyncio.sleep(self.seconds if is_first else 0)
                is_first = False
        self.answered.append(Answered(time.monotonic(), is_probe))

    @contextmanager
    def _counted(self, *, is_probe: bool) -> Iterator[None]:
        self._running.append(is_probe)
        self.most_requests = max(self.most_requests, len(self._running))
        self.most_probes = max(self.most_probes, self._running.count(True))
        try:
            yield
        finally:
            self._running.remove(is_probe)


class _Paced(httpx.AsyncByteStream):
    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._parts


def _is_probe(body: Json) -> bool:
    options: Json = body.get("options", {})
    return options.get("num_predict") == 1
