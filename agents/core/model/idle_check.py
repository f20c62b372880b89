"""IdleCheck: does an idle connection keep a server from all others?

A simple stand-in or a proxy with one worker serves one connection until that ends, and would serve our idle one for
ever. Whoever holds one finds that out by a question that only the end of the idle connection brings an answer to.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from agents.core.model.errors import ModelError, ModelTimeout, ModelUnreachable
from agents.core.model.server import ModelServer
from bus.ending import end_tasks

HELD_SECONDS: Final = 3.0
"""A server tells its version from memory, within milliseconds, and on a crowded machine within a second."""

FREED_SECONDS: Final = 0.5
"""An answer so soon after the end of the idle connection has waited for that; a later one was only late."""

TIMES: Final = 3
"""So often in all, before any answer that came beside an idle connection: once, or twice, may be chance."""


class IdleCheck:
    """Judges one server. In doubt, which is also where it does not answer at all, it is judged again the next time."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._is_harmless = False
        self._suspicions = 0

    @property
    def is_harmful(self) -> bool:
        """Whether the server is certain to answer nobody while it holds an idle connection."""
        return self._suspicions >= TIMES

    async def look(self, drop: Callable[[], object]) -> None:
        """Ask beside an idle connection. Where no answer comes, `drop` it, and see whether one comes then."""
        if self._is_harmless:
            return
        question = asyncio.create_task(self._answers(), name=f"model-server-watch question {self._server.name}")
        try:
            await asyncio.wait([question], timeout=HELD_SECONDS)
            if question.done():
                self._is_harmless = question.result()
                return
            drop()
            await asyncio.wait([question], timeout=FREED_SECONDS)
            self._suspicions += question.done() and question.result()
        finally:
            await end_tasks([question])

    async def _answers(self) -> bool:
        try:
            await self._server.control.version()
        except (ModelUnreachable, ModelTimeout):
            return False
        except ModelError:
            pass  # a refusal is an answer
        return True
