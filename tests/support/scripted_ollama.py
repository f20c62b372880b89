"""ScriptedOllama: answers httpx requests as Ollama does, or as a test says, and remembers what it was asked."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx

from tests.support.program import LIMIT

Json = dict[str, Any]
Script = Callable[[Json], httpx.Response]

VERSION = "0.0.0"
"""What /api/version answers."""

DONE: Json = {
    "done": True,
    "done_reason": "stop",
    "load_duration": 2_000_000_000,
    "prompt_eval_duration": 500_000_000,
    "eval_duration": 1_500_000_000,
    "prompt_eval_count": 10,
    "eval_count": 4,
}
"""The figures of a finished answer: 2 s, 0.5 s and 1.5 s; 10 tokens in, 4 out."""


class Body(httpx.AsyncByteStream):
    """A streamed body. With `hold` it stays open until the event is set, then comes `rest`; `closed` tells its end."""

    def __init__(self, parts: Iterable[bytes], hold: asyncio.Event | None = None, rest: Iterable[bytes] = ()) -> None:
        self._parts = list(parts)
        self._hold = hold
        self._rest = list(rest)
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        if self._hold is not None:
            await self._hold.wait()
        for part in self._rest:
            yield part

    async def aclose(self) -> None:
        self.closed.set()


def lines(*objects: Json) -> list[bytes]:
    """Each object as one line."""
    return [json.dumps(item).encode() + b"\n" for item in objects]


def streamed(*objects: Json, hold: asyncio.Event | None = None) -> httpx.Response:
    """A 200 with one line for each object."""
    return httpx.Response(200, stream=Body(lines(*objects), hold))


def answer(*texts: str, **last: object) -> httpx.Response:
    """A finished answer of /api/generate in these pieces."""
    return streamed(*({"response": text, "done": False} for text in texts), {"response": "", **DONE, **last})


def refusal(status: int, text: str) -> httpx.Response:
    """An error as the API words it."""
    return httpx.Response(status, json={"error": text})


def held(*texts: str) -> tuple[httpx.Response, Body]:
    """An answer of /api/generate that begins with these pieces and never ends, and its body, which tells its close."""
    body = Body(lines(*({"response": text, "done": False} for text in texts)), asyncio.Event())
    return httpx.Response(200, stream=body), body


def interrupted(before: str, hold: asyncio.Event, after: str) -> httpx.Response:
    """An answer of /api/generate that stops in its middle until the event is set."""
    first, last = {"response": before, "done": False}, {"response": after, **DONE}
    return httpx.Response(200, stream=Body(lines(first), hold, lines(last)))


def busy(status: int, retry_after: str) -> httpx.Response:
    """A refusal that names the seconds after which to come again."""
    return httpx.Response(status, json={"error": "busy"}, headers={"Retry-After": retry_after})


def missing(model: str) -> httpx.Response:
    """The 404 for a model that is not installed."""
    return refusal(404, f"model '{model}' not found")


class ScriptedOllama:
    """Plays the next item of `script` for each request to a model, and afterwards answers "ok"."""

    def __init__(self) -> None:
        self.installed: list[str] = ["tinyllama:latest"]
        self.sizes: dict[str, int] = {}
        """Bytes of installed models, where `/api/tags` is to tell them."""
        self.loaded: list[Json] = []
        """What /api/ps tells of the models in memory."""
        self.tells_loaded = True
        """Whether it does; else it answers with an error."""
        self.script: deque[httpx.Response | Exception | Script] = deque()
        self.requests: list[tuple[str, Json]] = []
        self.pull_lines: list[Json] = [{"status": "pulling manifest"}, {"status": "success"}]
        self.gate: asyncio.Event | None = None
        """Where set, requests to a model wait for it before they are answered."""
        self.silence: asyncio.Event | None = None
        """Where set, all requests wait for it, also those that Ollama answers from memory."""
        self.arrived = asyncio.Semaphore(0)
        """Released once for each request to a model."""

    @property
    def transport(self) -> httpx.MockTransport:
        """What reaches this server."""
        return httpx.MockTransport(self._handle)

    def asked(self, path: str) -> list[Json]:
        """The bodies of all requests to one path, in order."""
        return [body for asked, body in self.requests if asked == path]

    async def arrivals(self, count: int) -> None:
        """Wait until so many more requests to a model have come."""
        async with asyncio.timeout(LIMIT):  # a program that asks may have to start first
            for _ in range(count):
                await self.arrived.acquire()

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        path = request.url.path
        self.requests.append((path, body))
        if self.silence is not None:
            await self.silence.wait()
        if path == "/api/version":
            return httpx.Response(200, json={"version": VERSION})
        if path == "/api/tags":
            return httpx.Response(200, json={"models": [self._shown(name) for name in self.installed]})
        if path == "/api/ps":
            return httpx.Response(200, json={"models": self.loaded}) if self.tells_loaded else refusal(500, "no")
        if path == "/api/pull":
            return self._pull(body["model"])
        return await self._model(path, body)

    def _shown(self, name: str) -> Json:
        size = {"size": self.sizes[name]} if name in self.sizes else {}
        return {"name": name, "model": name} | size

    def _pull(self, model: str) -> httpx.Response:
        if self.pull_lines[-1].get("status") == "success":
            self.installed.append(model)
        return streamed(*self.pull_lines)

    async def _model(self, path: str, body: Json) -> httpx.Response:
        self.arrived.release()
        if self.gate is not None:
            await self.gate.wait()
        if self.script:
            item = self.script.popleft()
            if isinstance(item, Exception):
                raise item
            return item if isinstance(item, httpx.Response) else item(body)
        if body["model"] not in self.installed:
            return missing(body["model"])
        return _usual(path, body)


def _usual(path: str, body: Json) -> httpx.Response:
    if path == "/api/embed":
        vectors = [[1.0, 0.0] for _ in body["input"]]
        return httpx.Response(200, json={"embeddings": vectors, "prompt_eval_count": 3})
    if path == "/api/chat":
        return streamed({"message": {"role": "assistant", "content": "ok"}, "done": False}, DONE)
    if not body.get("prompt"):
        return httpx.Response(200, json={"response": "", "done": True, "done_reason": "load"})
    return answer("o", "k")
