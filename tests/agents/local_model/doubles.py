"""A runner without a model, a loader that a test holds back, and a clock that a test moves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.local_model.errors import EngineError
from agents.local_model.residents import Want
from agents.local_model.runner import Event


class StubRunner:
    """Answers with fixed events; `alive` until closed or set otherwise."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.alive = True
        self.closed = False
        self._events = events

    async def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    async def complete(self, body: Mapping[str, object]) -> AsyncGenerator[Event, None]:
        del body
        for event in self._events:
            yield event

    async def embed(self, inputs: Sequence[Sequence[int]], *, normalise: bool) -> list[list[float]]:
        return [[float(len(tokens)), float(normalise)] for tokens in inputs]

    async def close(self) -> None:
        self.alive = False
        self.closed = True


@dataclass
class Loader:
    """Makes stub runners: at once, or when the test lets it; models called `broken` cannot be loaded."""

    loads: list[Want] = field(default_factory=list)
    runners: list[StubRunner] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, want: Want) -> StubRunner:
        self.loads.append(want)
        await self.gate.wait()
        if want.name == "broken":
            raise EngineError("model broken could not be loaded: no file")
        self.runners.append(StubRunner())
        return self.runners[-1]

    @property
    def in_memory(self) -> int:
        return sum(not runner.closed for runner in self.runners)


@dataclass(eq=False)
class ManualTimer:
    due: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """Time stands still until `advance`."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._timers: list[ManualTimer] = []

    def now(self) -> float:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ManualTimer:
        self._timers.append(ManualTimer(self._now + seconds, callback))
        return self._timers[-1]

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for timer in [timer for timer in self._timers if timer.due <= self._now and not timer.cancelled]:
            timer.cancel()
            timer.callback()
