"""The last results of all agents of a process, within one bound of bytes."""

from collections import OrderedDict
from typing import Final

KEPT_BYTES: Final = 4_194_304
"""Results that a process keeps, as JSON: it may have hundreds of agents, beside a model that wants the memory."""


class Shelf:
    """Bodies by agent and key; the oldest make room."""

    def __init__(self, bound: int = KEPT_BYTES) -> None:
        self._bound = bound
        self._bodies: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0

    def put(self, agent: str, key: str, body: bytes) -> None:
        """Keep a body in place of the one before; one that is larger than the whole shelf is not kept."""
        place = (agent, key)
        self._size -= len(self._bodies.pop(place, b""))
        if len(body) <= self._bound:
            self._bodies[place] = body
            self._size += len(body)
        while self._size > self._bound:
            self._size -= len(self._bodies.popitem(last=False)[1])

    def get(self, agent: str, key: str) -> bytes | None:
        """Return a body, if it is still there."""
        return self._bodies.get((agent, key))
