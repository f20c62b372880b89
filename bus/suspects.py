"""Which task that came back from several crashes is worked on: one at a time in a process.

If it is what ends processes, it then takes no other suspect with it, and the innocent ones among them complete.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SUSPECT_FROM: Final = 2
"""Redeliveries that make a suspect. One comes with every restart of a host, and costs nothing but a second."""

SETTLING_SECONDS: Final = 0.5
"""Before a suspect is worked on. The others that were delivered with it are put off meanwhile: what ends a process at
once would else end it before they are settled."""


class Suspects:
    """Shared by the consumers of a process."""

    def __init__(self) -> None:
        self.at_work = False
        """Whether one of them is worked on."""

    @contextmanager
    def working_on(self) -> Iterator[None]:
        """Note for the length of a block that one is worked on."""
        self.at_work = True
        try:
            yield
        finally:
            self.at_work = False


def is_suspect(redeliveries: int, max_redeliveries: int) -> bool:
    """Whether a task that came back so often may be what ends the processes."""
    return redeliveries >= max(1, min(SUSPECT_FROM, max_redeliveries))
