"""The viewer's own connection to the broker over time. Pure but for its clock."""

from collections.abc import Callable, Mapping
from typing import Final

from agents.top.alarms import Link
from bus.broker import LinkState

BACK_SECONDS: Final = 10.0
"""How long it is told that a connection is back."""

_AWAY: Final = (LinkState.CONNECTING, LinkState.CLOSED)

_CUT: Final = (*_AWAY, LinkState.BLOCKED)
"""Nobody can be asked, or nobody can answer."""


def state_of(links: Mapping[str, LinkState]) -> LinkState:
    """Return the worst state of a broker's connections: what is asked for goes one way, and the answers another."""
    return next((state for state in _CUT if state in links.values()), LinkState.CONNECTED)


class LinkWatch:
    """Is told the state of a connection again and again, and remembers since when it is so."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._state = LinkState.CONNECTED
        self._since = self._back_at = self._uncut_at = clock()
        self._was_away: float | None = None

    @property
    def heard_since(self) -> float | None:
        """The moment, on the clock, since when the fleet can answer; None while it cannot."""
        return None if self._state in _CUT else self._uncut_at

    def note(self, state: LinkState) -> Link:
        """Take in its state, and return what there is to show of it."""
        now, before = self._clock(), self._state
        if (state in _AWAY) != (before in _AWAY):
            if state not in _AWAY:
                self._was_away, self._back_at = now - self._since, now
            self._since = now
        if before in _CUT and state not in _CUT:
            self._uncut_at = now
        self._state = state
        return Link(state, now - self._since, self._was_away if now - self._back_at < BACK_SECONDS else None)
