"""What hosts have said of deliveries that they hand back: a redelivery that was announced is no sign of a crash."""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from bus.remembering import remember

REMEMBERED: Final = 10_000
"""Words that are remembered. Most are of deliveries that go to other hosts and are never asked for here."""

TOLD: Final = 1_000
"""Words, the latest, that a host which has just started is told: most of what waits has not gone back that often."""

WORD_SECONDS: Final = 1.0
"""How long a redelivery waits for its word, which was confirmed before the delivery went back. Mostly it is there; what
a host that has just started is told took half a second where four fleets started at once on two cores."""


class Returns:
    """The words that a process has heard, by the digests of the messages. Shared by its consumers.

    A word that was meant for another host's redelivery stays here, and hides one crash of that message at most.
    """

    def __init__(self) -> None:
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, asyncio.Event] = {}

    def note(self, *digests: str) -> None:
        """Remember words."""
        for digest in digests:
            remember(self._heard, digest, None, REMEMBERED)
            if digest in self._waiting:
                self._waiting[digest].set()

    def latest(self) -> tuple[str, ...]:
        """Return the latest words, for a host that has heard none."""
        return tuple(self._heard)[-TOLD:]

    def take(self, digest: str) -> bool:
        """Whether a word of this message has come. True once for each word."""
        if digest not in self._heard:
            return False
        del self._heard[digest]
        return True

    async def take_soon(self, digest: str) -> bool:
        """Whether a word of this message has come, or comes within WORD_SECONDS. True once for each word."""
        if digest not in self._heard:
            await self._wait_for(digest)
        return self.take(digest)

    async def _wait_for(self, digest: str) -> None:
        came = self._waiting.setdefault(digest, asyncio.Event())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(WORD_SECONDS):
                    await came.wait()
        finally:
            self._waiting.pop(digest, None)
