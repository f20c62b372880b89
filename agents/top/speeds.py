"""Speeds: tokens per second of each model server over the last minutes, out of the totals in reports. Pure."""

from collections import deque
from typing import Final, NamedTuple

from schemas import PoolReport

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


class Speeds:
    """Takes in the reports of pools. `at` is in seconds of any steady clock."""

    def __init__(self, least_seconds: float) -> None:
        """`least_seconds`: between two samples; reports come more often where models are pulled."""
        self._least = least_seconds
        self._samples: dict[Key, deque[_Sample]] = {}

    def note(self, report: PoolReport, at: float) -> None:
        """Take in a report."""
        samples = self._samples.setdefault((report.host, report.server), deque(maxlen=KEPT + 1))
        if samples and report.tokens_out < samples[-1].tokens:
            samples.clear()  # its host began anew, and counts from 0
        if not samples or at - samples[-1].at >= self._least:
            samples.append(_Sample(at, report.tokens_out))

    def forget(self, host: str) -> None:
        """Drop what is known of a host's servers."""
        for key in [key for key in self._samples if key[0] == host]:
            del self._samples[key]

    def history(self, key: Key) -> tuple[float, ...]:
        """Return the tokens per second of up to `CELLS` parts of the time over which samples are kept, oldest first."""
        samples = list(self._samples.get(key, ()))
        spans = max(0, len(samples) - 1)
        cells = min(CELLS, spans)
        ends = [samples[cell * spans // cells] for cell in range(cells + 1)] if cells else []
        return tuple(map(_speed, ends, ends[1:]))

    def now(self, key: Key) -> float:
        """Return the tokens per second over the last minute, or since the first report where that is later."""
        samples = self._samples.get(key)
        if not samples:
            return 0.0
        newest = samples[-1]
        first = next(sample for sample in samples if newest.at - sample.at <= WINDOW_SECONDS)
        return (newest.tokens - first.tokens) / max(newest.at - first.at, LEAST_WINDOW_SECONDS)


def _speed(first: _Sample, last: _Sample) -> float:
    return (last.tokens - first.tokens) / (last.at - first.at) if last.at > first.at else 0.0
