"""Cursor: which row of a table is chosen, and which rows are in sight. Pure."""

from collections.abc import Hashable, Sequence


class Cursor:
    """Stays with the row that was chosen, wherever that goes; at the top it stays at the top."""

    def __init__(self) -> None:
        self._keys: Sequence[Hashable] = ()
        self._top = 0
        self.index = 0

    def show(self, keys: Sequence[Hashable]) -> None:
        """Take in the keys of all rows, in their order now."""
        chosen = self._keys[self.index] if 0 < self.index < len(self._keys) else None
        if chosen is not None and chosen in keys:
            self.index = keys.index(chosen)
        self._keys = keys
        self._bound()

    def move(self, by: int) -> None:
        """Go down by so many rows, or up."""
        self.index += by
        self._bound()

    def first_in_sight(self, height: int) -> int:
        """Return the first row to show where `height` fit, with the chosen one among them."""
        self._top = min(self._top, self.index, max(0, len(self._keys) - height))
        self._top = max(self._top, self.index - max(1, height) + 1, 0)
        return self._top

    def _bound(self) -> None:
        self.index = max(0, min(self.index, len(self._keys) - 1))
