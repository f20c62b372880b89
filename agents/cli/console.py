"""Where commands write: answers to standard output, everything about the way there to standard error."""

import re
import sys
from typing import Final

from rich.console import Console

# Texts of models and programs are printed as they are: `:x:` is no request for an emoji.
out = Console(soft_wrap=True, highlight=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters but tab and line feed: what a model writes must not move the cursor or rename the window."""


def write(text: str) -> None:
    """Write an answer, or a piece of one, to standard output at once and as it is: tabs and line ends are kept.

    A terminal gets it without control characters.
    """
    shown = _OBEYED.sub(_spelt_out, text) if sys.stdout.isatty() else text
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _spelt_out(found: re.Match[str]) -> str:
    return "" if found[0] == "\r" else repr(found[0])[1:-1]
