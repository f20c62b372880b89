"""ScriptedCoordinator: the HTTP coordinator of older agents as a script, and the time in which it is told."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request: where, what, when (seconds on the timeline), and what it was answered."""

    path: str
    body: Json
    at: float
    headers: httpx.Headers = field(repr=False)
    status: int = 200

    @property
    def agent(self) -> str:
        """The agent that it speaks of."""
        return str(self.body["agent_name"])


class Timeline:
    """Time that moves when a test says so: a clock, and a sleep that ends in its order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Sleep on this timeline."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = (self.now + seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Move on, moment by moment, and let everybody act at each."""
        until = self.now + seconds
        await settle()
        while due := [due for due, woken in self._sleepers if due <= until and not woken.is_set()]:
            self.now = min(due)
            for at, woken in self._sleepers:
                if at <= self.now:
                    woken.set()
            await settle()
        self.now = until


async def settle() -> None:
    """Let whoever can act without waiting for anybody do so."""
    for _ in range(60):
        await asyncio.sleep(0)


class ScriptedCoordinator:
    """Answers with `script`, an HTTP status or an error for each call, and keeps all calls.

    While `gate` is not set, it keeps its callers waiting.
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.calls: list[Call] = []
        self.script: Callable[[Call], int | Exception] = lambda _: 200
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = self.most = 0
        self._clock = clock

    @property
    def transport(self) -> httpx.MockTransport:
        """What a client speaks to it through."""
        return httpx.MockTransport(self._answer)

    def to(self, path: str, *, status: int = 200) -> list[Call]:
        """Return the calls to a path that were answered with a status."""
        return [call for call in self.calls if (call.path, call.status) == (path, status)]

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            return self._reply(request)
        finally:
            self.running -= 1

    def _reply(self, request: httpx.Request) -> httpx.Response:
        asked = Call(request.url.path, json.loads(request.content), self._clock(), request.headers)
        said = self.script(asked)
        status = said if isinstance(said, int) else 0
        self.calls.append(Call(asked.path, asked.body, asked.at, asked.headers, status))
        if isinstance(said, Exception):
            raise said
        return httpx.Response(status)
