"""Deadlines: which open requests have come to their deadline."""

from bisect import bisect_left, bisect_right, insort
from operator import itemgetter
from typing import Final

from agents.core.requests.record import Request

_DEADLINE: Final = itemgetter(0)


class Deadlines:
    """The requests that have a deadline, the nearest first, from `add` to `discard`."""

    def __init__(self) -> None:
        self._line: list[tuple[float, Request]] = []

    def add(self, request: Request) -> None:
        """Watch a request, if it has a deadline."""
        if request.deadline is not None:
            insort(self._line, (request.deadline, request), key=_DEADLINE)

    def discard(self, request: Request) -> None:
        """Watch a request no longer, if it is watched: it has ended."""
        if request.deadline is not None:
            first = bisect_left(self._line, request.deadline, key=_DEADLINE)
            last = bisect_right(self._line, request.deadline, key=_DEADLINE)
            self._line[first:last] = [pair for pair in self._line[first:last] if pair[1] is not request]

    def passed(self, now: float) -> list[Request]:
        """Return the requests whose deadline has come, in its order."""
        return [request for _, request in self._line[: bisect_right(self._line, now, key=_DEADLINE)]]
