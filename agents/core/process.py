"""Running a coroutine as a whole process: logging, the fast event loop where it is installed, errors, exit codes."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from agents.core.exit_codes import KNOWN_ERRORS, ExitCode, exit_code_of
from agents.core.last_threads import THREADS_SECONDS, forced_end, lasting_threads
from agents.core.log import LogFormat, configure_logging

log = structlog.get_logger(__name__)

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

ONE_PRESS_SECONDS: Final = 0.3
"""Signals that come closer together are one wish: a terminal and `timeout` may both tell a process of one Ctrl-C."""


def run_process(
    main: Callable[[], Coroutine[Any, Any, None]], log_level: str = "INFO", log_format: LogFormat = LogFormat.AUTO
) -> None:
    """Run `main` to its end. A known error becomes one line on standard error.

    Threads that `main` leaves behind get `THREADS_SECONDS`, then the process ends without them. In another thread than
    the main one, as in a test, the process is not ours to end, and other threads are not waited for.

    Raises:
        SystemExit: with the code of an error, or 130 after Ctrl-C.
    """
    configure_logging(log_level, log_format)
    earlier = frozenset(threading.enumerate())
    runner = asyncio.Runner(loop_factory=_fast_loop())
    code, fault = ExitCode.OK, None
    try:
        runner.run(main())
    except KNOWN_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the one line that says why there is no process
        code = exit_code_of(error)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BaseException as error:
        code, fault = ExitCode.UNEXPECTED, error
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            with forced_end(THREADS_SECONDS, code, fault):
                runner.close()
                for thread in lasting_threads(earlier):
                    thread.join()
        else:
            runner.close()
    if code is not ExitCode.OK:
        raise SystemExit(code)


@contextmanager
def stopping_on_signals(request_stop: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first SIGINT or SIGTERM asks for a stop, the second ends the process at once.

    At once is safe: what is unsettled goes back to its queue with the connection.
    """
    loop = asyncio.get_running_loop()
    asked: list[float] = []

    def receive(number: signal.Signals) -> None:
        now = loop.time()
        if asked and now - asked[0] < ONE_PRESS_SECONDS:
            return
        if asked:
            log.warning("process.ended_at_once", signal=number.name)
            os._exit(ExitCode.INTERRUPTED)
        asked.append(now)
        request_stop()
        log.info("process.stopping", signal=number.name, again="ends at once")

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, receive, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop
