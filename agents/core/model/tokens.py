"""TokenCount: what one model server has read and written for this host, and how fast."""

from collections import deque
from typing import Final

from schemas import Usage

ANSWERS: Final = 10
"""Answers that the speed is told of: one alone may be a single word."""


class TokenCount:
    """Running totals over the answers of one server, probes left out."""

    def __init__(self) -> None:
        self.read = 0
        """Tokens of prompts."""
        self.written = 0
        """Tokens of answers."""
        self._last: deque[tuple[int, float]] = deque(maxlen=ANSWERS)

    @property
    def per_second(self) -> float | None:
        """Tokens written by one request in a second, over the last ten answers; None before the first."""
        seconds = sum(seconds for _, seconds in self._last)
        return sum(written for written, _ in self._last) / seconds if seconds else None

    def note(self, usage: Usage) -> None:
        """Count one answer."""
        self.read += usage.tokens_in
        self.written += usage.tokens_out
        if usage.tokens_out:
            self._last.append((usage.tokens_out, usage.generation_time))
