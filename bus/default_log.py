"""Logging in a program that sets up no structlog: text on standard error, as urgent as `logging` has it."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

from bus.discretion import without_secrets
from bus.standard_error import standard_error
from bus.tracing import with_trace_ids


def configure_default_log() -> None:
    """Set structlog up, unless the program has done it; its own default would put our lines among the answers.

    The level is that of the root logger: warnings, or all after `logging.basicConfig(level=logging.DEBUG)`.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            _as_urgent_as_root,
            structlog.contextvars.merge_contextvars,
            with_trace_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.processors.format_exc_info,  # as Python prints it: without the values of variables
            without_secrets,
            structlog.dev.ConsoleRenderer(
                colors=standard_error().isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=lambda *_: structlog.WriteLogger(standard_error()),
    )


def _as_urgent_as_root(_: object, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if not logging.root.isEnabledFor(logging.getLevelNamesMapping()[level.upper()]):
        raise structlog.DropEvent
    return line
