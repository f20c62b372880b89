"""Standard error, also of a program that was started without one, as by `2>&-`: Python has None there."""

import io
import sys
from typing import Final, TextIO


class _Nobody(io.StringIO):
    def write(self, text: str) -> int:
        """Drop it."""
        return len(text)


_NOBODY: Final = _Nobody()


def standard_error() -> TextIO:
    """Return it, or what drops all that it is given. Standard output, as others would have it, is for answers."""
    return _NOBODY if sys.stderr is None else sys.stderr
