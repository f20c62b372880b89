"""Label values with a bound: Prometheus keeps a series for each of them, and a message may hold any name."""

from collections.abc import Iterable, Iterator
from typing import Final

OTHER: Final = "other"
"""What stands for all names beyond the bound."""

LONGEST: Final = 200
"""Characters of a label; more is no name."""


class BoundedNames:
    """The first `most` names keep their own; what comes after them, and what is no name, is `other`."""

    def __init__(self, most: int, names: Iterable[str] = ()) -> None:
        self._most = most
        self._known: dict[str, None] = {}
        for name in names:
            self.fold(name)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def fold(self, name: str | None) -> str:
        """Return the label for a name, which is remembered while there is room."""
        if name is not None and len(self._known) < self._most and _is_name(name):
            self._known.setdefault(name)
        return name if name is not None and name in self._known else OTHER


def _is_name(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair, and the whole page would fail
        return False
    return len(text) <= LONGEST
