"""Logging: readable lines for a terminal, JSON for everything else, on standard error."""

import contextlib
import logging
import sys
from typing import Final, TextIO

import structlog

_NOISY: Final = ("aiormq", "aio_pika", "httpx", "httpcore", "asyncio")
"""Libraries whose own lines repeat in their words what ours say in the product's."""


class Listener(structlog.WriteLogger):
    """Writes lines for as long as somebody reads them.

    A terminal that was closed, or a full disk, is no reason for a host to fall: a signal handler that logs would never
    come to its stop.
    """

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)

    def msg(self, message: str) -> None:
        """Write one line."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: the file is closed
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


def configure_logging(level: str = "INFO") -> None:
    """Set up structlog for this process; `level` is a name such as INFO."""
    number = logging.getLevelNamesMapping()[level.upper()]
    is_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_terminal else "iso", utc=not is_terminal),
            structlog.processors.StackInfoRenderer(),
            *([] if is_terminal else [structlog.processors.dict_tracebacks]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: Listener(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if number <= logging.DEBUG else logging.CRITICAL)
