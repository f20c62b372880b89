"""What a host believes to wait in one queue that it does not see into. Pure."""

from dataclasses import dataclass

from bus.topology import MAX_PRIORITY


@dataclass(slots=True)
class Backlog:
    """The highest priority that may wait in a queue, from what was delivered, fetched and heard.

    The broker hands out the highest priority first, so a fetched message says of all that wait that they are no higher;
    what is heard to have arrived since may be. Quorum queues order otherwise: there `top` is a hint, and no more.
    """

    top: int | None = None
    """No more than this waits; None: nothing does."""
    since: float = 0.0
    """Monotonic seconds: something waits since then, or since it was last served."""
    needs_look: bool = True
    """Whether nothing is known, or so little that the queue has to be looked at."""
    sure_at: float = 0.0
    """When `top` was last known for certain."""
    _news: int | None = None
    """The highest priority heard of since the broker was asked last."""
    _got: int | None = None
    """The priority of what was delivered since the broker was asked last."""

    def forget(self) -> None:
        """Know nothing any more: the connection was lost, or the host did not listen for a while."""
        self.needs_look = True
        self.sure_at = float("-inf")

    def heard(self, priority: int, at: float) -> None:
        """A message of this priority has come, or gone back."""
        self._news = _higher(self._news, priority)
        self._raise_to(priority, at)

    def delivered(self, priority: int, at: float) -> None:
        """A message of this priority was delivered; there may be more of it."""
        self._got = _higher(self._got, priority)
        self._raise_to(priority, at)

    def ask(self) -> None:
        """The broker is asked, for a message or for a count: what is heard from now on may be missing in the answer."""
        self._news = self._got = None

    def fetched(self, left: int | None, at: float) -> None:
        """A fetch is over: so many messages are left behind the one that was delivered; None: there was none."""
        told = self._got if left else None
        self.top = self._news if told is None else _higher(self._news, told)
        self.since = self.sure_at = at

    def counted(self, ready: int, at: float, *, stale_after: float) -> None:
        """So many messages wait. Of which priority is not told, and believed for `stale_after` seconds at most."""
        self.needs_look = False
        if ready == 0:
            self.top, self.sure_at = self._news, at
        elif self.top is None or at - self.sure_at > stale_after:
            self._raise_to(MAX_PRIORITY, at)

    def _raise_to(self, priority: int, at: float) -> None:
        if self.top is None:
            self.since = at
        self.top = _higher(self.top, priority)


def _higher(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)
