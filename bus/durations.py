"""Durations: how long the last runs of something took."""

from collections import deque
from math import ceil
from typing import Final

KEPT: Final = 100
"""Runs that are looked back on: enough for a 95th percentile, few enough to tell of today."""


class Durations:
    """The seconds of the last hundred runs."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)

    def __len__(self) -> int:
        return len(self._seconds)

    def note(self, seconds: float) -> None:
        """Take in one run."""
        self._seconds.append(seconds)

    def percentile(self, percent: int) -> float:
        """Return the least of the durations that `percent`, 1 to 100, in a hundred of them do not exceed.

        Raises:
            ValueError: there are none yet.
        """
        if not self._seconds:
            raise ValueError("there is no duration yet to tell a percentile of")
        return sorted(self._seconds)[ceil(len(self._seconds) * percent / 100) - 1]
