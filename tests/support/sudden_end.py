"""A test run that something ends from within must not look green: `os._exit(0)` there is an error."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

CODE: Final = 70
"""What the run ends with instead: pytest's own codes end at 5."""

End = Callable[[int], object]


@contextmanager
def no_silent_end() -> Iterator[None]:
    """Within the block, this process can end itself at once only with an error's code; its forks may as they like."""
    end = os._exit
    os._exit = _loud(end, os.getpid())  # type: ignore[assignment] # like the original, it does not return
    try:
        yield
    finally:
        os._exit = end


def _loud(end: End, process: int) -> End:
    def end_loudly(code: int) -> object:
        if os.getpid() == process and not code:
            print("error: code under test ended the whole run with code 0", file=sys.__stderr__, flush=True)
            code = CODE
        return end(code)

    return end_loudly
