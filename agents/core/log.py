"""Logging: readable lines for a terminal, JSON for everything else, on standard error."""

import logging
import sys
from typing import Final

import structlog

_NOISY: Final = ("aiormq", "aio_pika", "httpx", "httpcore", "asyncio")
"""Libraries whose own lines repeat in their words what ours say in the product's."""


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
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if number <= logging.DEBUG else logging.CRITICAL)
