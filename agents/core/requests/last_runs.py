"""LastRuns: when each lane was last served."""

from agents.core.requests.entry import Lane

RUNS_REMEMBERED = 1024
"""Last runs that are kept, the newest; of a forgotten one, the arrival of the lane's first entry counts."""


class LastRuns:
    """The monotonic seconds at which a lane stopped running: on one server, or (None) on those that are open."""

    def __init__(self) -> None:
        self._ended: dict[tuple[Lane, str | None], float] = {}

    def note(self, lane: Lane, server: str | None, now: float) -> None:
        """Note that the lane ran there until now."""
        self._ended.pop((lane, server), None)
        self._ended[lane, server] = now
        if len(self._ended) > RUNS_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def since(self, lane: Lane, server: str | None, arrived: float) -> float:
        """Return since when an entry that arrived then has seen nothing of its lane run there."""
        return max(arrived, self._ended.get((lane, server), arrived))
