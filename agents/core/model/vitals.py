"""Vitals: when a model server was last seen to answer, and to be unable to."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf

from agents.core.model.errors import ModelError, is_server_failure


@dataclass(slots=True)
class Vitals:
    """Monotonic seconds. A failure is one of a probe, which is no task's fault. `wall_clock` gives epoch seconds."""

    answered_at: float = -inf
    failed_at: float = -inf
    accepts: bool = False
    """Whether it has accepted a connection that is still there, by the word of `ServerWatch`; False if none is held."""
    wall_clock: Callable[[], float] = field(default=time.time, repr=False)
    _fault: str | None = field(default=None, init=False)
    _failing_since: float = field(default=0.0, init=False)

    @property
    def trouble(self) -> str | None:
        """The latest fault and since when there was no answer between faults; None if the last try was answered."""
        if self._fault is None:
            return None
        since = datetime.fromtimestamp(self._failing_since, UTC)
        return f"failing since {since:%Y-%m-%d %H:%M:%S} UTC: {self._fault}"

    def note_answer(self, now: float) -> None:
        """A request was answered."""
        self.answered_at = now
        self._fault = None

    def note_error(self, error: ModelError) -> None:
        """A request failed. An error that is no fault of the server proves that it lives."""
        if not is_server_failure(error):
            self._fault = None
            return
        if self._fault is None:
            self._failing_since = self.wall_clock()
        self._fault = str(error)

    def failed_since(self, moment: float) -> bool:
        """Whether a probe has failed after `moment`, and nothing has been answered since."""
        return self.failed_at > moment and self.failed_at > self.answered_at
