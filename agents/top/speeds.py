"""Speeds: tokens per second of each model server over the last minutes, out of the growth that reports tell. Pure."""

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final, NamedTuple

KEPT: Final = 60
"""Samples kept of each: five minutes at the usual interval."""

CELLS: Final = 8
"""Speeds in a history: each is that of an equal part of all samples kept."""

WINDOW_SECONDS: Final = 60.0
"""Tokens count once their answer is whole, so a shorter one would jump between nothing and far too much."""

LEAST_WINDOW_SECONDS: Final = 20.0
"""What has been seen so far counts as so long at least: the first answer after a start would be an enormous speed."""

Key = tuple[str, str]
"""A host, and the address of the server it asks."""


class _Sample(NamedTuple):
    at: float
    tokens: int


@dataclass(slots=True)
class _Server:
    tokens: int = 0
    """Written since it was heard of first."""
    samples: deque[_Sample] = field(default_factory=lambda: deque(maxlen=KEPT + 1))


class Speeds:
    """Is told how many more tokens were written. `at` is in seconds of any steady clock."""

    def __init__(self, least_seconds: float) -> None:
        """`least_seconds`: between two samples; reports come more often where models are pulled."""
        self._least = least_seconds
        self._servers: dict[Key, _Server] = {}

    def note(self, key: Key, growth: int, at: float) -> None:
        """Take in how many tokens a server has written since the report before."""
        server = self._servers.setdefault(key, _Server())
        server.tokens += growth
        if not server.samples or at - server.samples[-1].at >= self._least:
            server.samples.append(_Sample(at, server.tokens))

    def keep(self, hosts: Container[str]) -> None:
        """Drop what is known of the servers of all other hosts."""
        for key in [key for key in self._servers if key[0] not in hosts]:
            del self._servers[key]

    def history(self, key: Key) -> tuple[float, ...]:
        """Return the tokens per second of up to `CELLS` parts of the time over which samples are kept, oldest first."""
        samples = self._samples(key)
        spans = max(0, len(samples) - 1)
        cells = min(CELLS, spans)
        ends = [samples[cell * spans // cells] for cell in range(cells + 1)] if cells else []
        return tuple(map(_speed, ends, ends[1:]))

    def now(self, key: Key) -> float:
        """Return the tokens per second over the last minute, or since the first report where that is later."""
        samples = self._samples(key)
        if not samples:
            return 0.0
        newest = samples[-1]
        first = next(sample for sample in samples if newest.at - sample.at <= WINDOW_SECONDS)
        return (newest.tokens - first.tokens) / max(newest.at - first.at, LEAST_WINDOW_SECONDS)

    def _samples(self, key: Key) -> list[_Sample]:
        server = self._servers.get(key)
        return [] if server is None else list(server.samples)


def _speed(first: _Sample, last: _Sample) -> float:
    return (last.tokens - first.tokens) / (last.at - first.at) if last.at > first.at else 0.0
