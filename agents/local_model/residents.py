"""Loaded models, and which of them must go before another can be loaded; decides, and does nothing."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.local_model.clock import Timer
from agents.local_model.runner import Runner


@dataclass(frozen=True)
class Want:
    """What a request needs loaded: a model's name, and the context in tokens."""

    name: str
    num_ctx: int


@dataclass(eq=False)
class Resident:
    """A loaded model: its runner, who uses it, and how long it stays when nobody does.

    Attributes:
        keep_alive: Seconds, negative for ever. A request's explicit value sticks for later ones.
        users: Requests that hold it, those waiting for one of its slots included.
        leaving: Another model waits for its place; no new request gets it.
        idle_since: When the last user left, in seconds since 1970.
        timer: Unloads it.
        idle: Set while there are no users.
    """

    want: Want
    runner: Runner
    keep_alive: float
    slots: asyncio.Semaphore
    users: int = 0
    leaving: bool = False
    idle_since: float = 0.0
    timer: Timer | None = None
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def busy(self) -> bool:
        """Whether any request holds it."""
        return self.users > 0

    def stop_timer(self) -> None:
        """Let no earlier decision unload it."""
        if self.timer is not None:
            self.timer.cancel()

    def expires_at(self, now: float) -> float:
        """Return when it goes if nobody asks for it: seconds since 1970, or infinity."""
        return (now if self.busy else self.idle_since) + patience(self.keep_alive)


def leaver(residents: Sequence[Resident], want: Want, limit: int) -> Resident | None:
    """Return who must go before `want` can be loaded, or None if there is room.

    The same model with another context goes always; else, with `limit` models loaded, an idle one before a busy one
    and the shortest keep_alive first, as in Ollama's server/sched.go.
    """
    for resident in residents:
        if resident.want.name == want.name:
            return resident
    if len(residents) < limit:
        return None
    return min(residents, key=lambda each: (each.busy, patience(each.keep_alive)))


def patience(keep_alive: float) -> float:
    """Return `keep_alive` with for ever as infinity, so that it compares."""
    return math.inf if keep_alive < 0 else keep_alive
