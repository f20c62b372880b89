"""Deadlines: which waiting requests have waited too long."""

from heapq import heappop, heappush


class Deadlines:
    """The deadlines of requests, the nearest first. One that is over by then costs nothing but its memory."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def add(self, request_id: str, deadline: float) -> None:
        """Watch a request."""
        heappush(self._heap, (deadline, request_id))

    def passed(self, now: float) -> list[str]:
        """Forget and return the requests whose deadline has come, in its order."""
        ids = []
        while self._heap and self._heap[0][0] <= now:
            ids.append(heappop(self._heap)[1])
        return ids
