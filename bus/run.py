"""One handler at work, and the outcome that somebody else may decide on before it has ended."""

import asyncio
import time
from typing import Final

from bus.attempt import Attempt
from bus.inflight import Entry
from bus.outcome import Finished, HandedBack, Outcome
from schemas import TaskResult

UNWILLING_SECONDS: Final = 2.0
"""What a handler gets to end once it is cancelled. Its slot and its task's outcome do not wait for it any longer."""


class Run:
    """A handler at work."""

    def __init__(self, entry: Entry, attempt: Attempt, work: asyncio.Task[TaskResult]) -> None:
        self.entry = entry
        self.attempt = attempt
        self.work = work
        self.started = time.monotonic()
        self.imposed: Outcome | None = None
        """The outcome that somebody else has decided on."""
        self.is_over_limit = False
        """Whether the work was ended at its limit; what that means for the task may still be open."""
        self._decided = asyncio.get_running_loop().create_future()

    @property
    def seconds(self) -> float:
        """How long it has run; never 0, which stands for not at all."""
        return max(time.monotonic() - self.started, 1e-6)

    def impose(self, outcome: Outcome) -> None:
        """End the work with this outcome, unless one has been decided on before."""
        if self.imposed is None and (self.is_over_limit or not self.work.done()):
            self.imposed = outcome
            self._decided.set_result(None)

    def is_waiting(self) -> bool:
        """See `bus.hold.Waiting`."""
        return self.imposed is None and not self.work.done() and self.attempt.is_waiting()

    def hand_back(self, reason: str) -> None:
        """See `bus.hold.Waiting`."""
        self.impose(HandedBack(reason))

    async def until_over(self, limit: float, inquiry: asyncio.Task[bool] | None = None) -> None:
        """Wait until the work, or the inquiry, is done, its outcome is imposed, or `limit` seconds are over."""
        awaited = {inquiry or self.work, self._decided}
        await asyncio.wait(awaited, timeout=limit, return_when=asyncio.FIRST_COMPLETED)

    async def end(self) -> None:
        """Cancel the work; one that does not want to end is not waited for any longer than that."""
        self.attempt.comes_again = not isinstance(self.imposed, Finished)
        self.work.cancel()
        await asyncio.wait({self.work}, timeout=UNWILLING_SECONDS)
