"""When to tell again of a fault that lasts. Pure: time is passed in."""

from typing import Final

FIRST_SECONDS: Final = 10.0
"""Most outages of a broker are over by then, and their beginning was told."""

LONGEST_SECONDS: Final = 600.0
"""Between two reminders, however long it lasts."""


class Reminders:
    """Those of one fault: the first after ten seconds, each further one after twice as long as the one before."""

    def __init__(self, began: float) -> None:
        """`began`: when the fault was told, on the clock of `is_due`."""
        self._pause = FIRST_SECONDS
        self._next = began + self._pause

    def is_due(self, now: float) -> bool:
        """Whether to tell it now; what is told counts, so the next is due only after its pause."""
        if now < self._next:
            return False
        self._pause = min(2 * self._pause, LONGEST_SECONDS)
        self._next = now + self._pause
        return True
