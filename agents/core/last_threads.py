"""The end of a process whose work is done and whose threads are not: code that hangs must not keep it alive."""

import os
import sys
import threading
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

log = structlog.get_logger(__name__)

THREADS_SECONDS: Final = 5.0
"""What threads get to end in, once the work of the process is over. Python itself would wait for ever."""


@contextmanager
def forced_end(seconds: float, code: int, error: BaseException | None = None) -> Iterator[None]:
    """End the process with `code` if the block takes longer than `seconds`; `error` is then shown as Python does."""

    def end() -> None:
        log.warning(
            "process.threads_left", threads=sorted(thread.name for thread in lasting_threads()), seconds=seconds
        )
        if error is not None:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def lasting_threads(earlier: Collection[threading.Thread] = ()) -> list[threading.Thread]:
    """Return the threads that Python waits for before it ends, but those of `earlier`."""
    main = threading.main_thread()
    return [each for each in threading.enumerate() if not each.daemon and each is not main and each not in earlier]
