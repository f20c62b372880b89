"""What an agent tells of its progress, in words for who waits: a line for each tenth and each new message."""

from bus.pieces import Advance


class ProgressLines:
    """Turns the steps of one task into lines. Pure."""

    def __init__(self) -> None:
        self._told: tuple[int, str | None] | None = None

    def line(self, advance: Advance) -> str | None:
        """Return the line for a step, or None where it would say the same as the one before."""
        now = (int((advance.fraction or 0) * 10), advance.message)
        if now == self._told:
            return None
        self._told = now
        return words_of(advance)


def words_of(advance: Advance) -> str:
    """Return a step in words, as in `40 %: page 3`."""
    share = None if advance.fraction is None else f"{round(advance.fraction * 100)} %"
    return ": ".join(part for part in (share, advance.message) if part)
