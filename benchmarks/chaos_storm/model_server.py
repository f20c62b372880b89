"""A model server with moods: it answers as Ollama does, or fails as the storm wants it to."""

import asyncio
import random
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final

import httpx

from tests.support.scripted_ollama import Body, ScriptedOllama, lines, refusal, streamed

ANSWER_SECONDS: Final = (0.02, 0.25)
"""How long an answer takes, from and to."""

_MODEL_PATHS: Final = ("/api/generate", "/api/chat")


class Mood(StrEnum):
    """How the model server fails."""

    ERRORS = "errors"
    BROKEN_STREAMS = "broken_streams"
    HANG = "hang"


class MoodyModel(ScriptedOllama):
    """Answers "ok" after a moment. While it has moods, the one that came last decides."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._moods: list[Mood] = []
        self._news = asyncio.Condition()
        self._draw = random.Random(f"model {seed}")  # noqa: S311 - a storm that can be repeated, no secret

    @property
    def transport(self) -> httpx.MockTransport:
        """What reaches this server."""
        return httpx.MockTransport(self._answer)

    async def enter(self, mood: Mood) -> None:
        """Fail in this way from now on."""
        async with self._news:
            self._moods.append(mood)

    async def leave(self, mood: Mood) -> None:
        """End it; what hung in it is answered."""
        async with self._news:
            self._moods.remove(mood)
            self._news.notify_all()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path in _MODEL_PATHS:
            await asyncio.sleep(self._draw.uniform(*ANSWER_SECONDS))
            async with self._news:
                await self._news.wait_for(lambda: self._mood is not Mood.HANG)
        match self._mood:
            case Mood.ERRORS:
                return refusal(500, "the storm wants it so")
            case Mood.BROKEN_STREAMS if request.url.path in _MODEL_PATHS:
                return self._broken()
            case _:
                return await super().transport.handle_async_request(request)

    @property
    def _mood(self) -> Mood | None:
        return self._moods[-1] if self._moods else None

    def _broken(self) -> httpx.Response:
        """Return an answer without its end, or one whose connection breaks in the middle."""
        some = lines({"response": "o", "done": False})
        is_cut = self._draw.random() < 0.5  # noqa: PLR2004 - as often as not
        return httpx.Response(200, stream=_Cut(some)) if is_cut else streamed({"response": "o", "done": False})


class _Cut(Body):
    """A body whose connection breaks before its end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in super().__aiter__():
            yield part
        raise httpx.WriteError("the storm cut this answer")
