"""Logging: text for a terminal, JSON for everything else, on standard error. docs/logging.md has the events."""

import contextlib
import logging
from enum import StrEnum
from threading import Lock
from typing import Final

import structlog

from bus.discretion import without_secrets
from bus.standard_error import standard_error
from bus.tracing import with_trace_ids

log = structlog.get_logger(__name__)

_SILENCED: Final = ("aiormq", "aio_pika", "httpx", "httpcore", "opentelemetry")
"""They write frames, bodies and addresses as they are, with passwords and prompts; our own lines tell the same."""

_NOISY: Final = ("asyncio",)
"""Repeats in its words what ours say in the product's; heard where all is."""

_STEPS: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)


class LogFormat(StrEnum):
    """How lines look."""

    AUTO = "auto"
    """`text` on a terminal, `json` elsewhere."""
    JSON = "json"
    """One object a line."""
    TEXT = "text"
    """For people."""


class Listener:
    """Writes lines on standard error, whichever that is at the time, for as long as somebody reads them.

    A terminal that was closed, or a full disk, is no reason for a host to fall: a signal handler that logs would never
    come to its stop.
    """

    def __init__(self) -> None:
        self._one_at_a_time = Lock()

    def msg(self, message: str) -> None:
        """Write one line."""
        with self._one_at_a_time, contextlib.suppress(OSError, ValueError):  # ValueError: the file is closed
            file = standard_error()
            file.write(f"{message}\n")
            file.flush()

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


class Forwarding(logging.Handler):
    """Hands what goes through the standard library's logging on to structlog, so that one stream has one format."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the record's text as an event of ours.

        Raises nothing: a library's bad line is no fault of the task that it stands in. Of such a line its text is told
        as it stands in the code, without the arguments, which may be anything.
        """
        level = next((step for step in _STEPS if record.levelno >= step), logging.DEBUG)
        told: dict[str, object] = {"logger": record.name, "exc_info": record.exc_info}
        try:
            told["message"] = record.getMessage()
        except Exception as error:  # noqa: BLE001 - arguments that do not fit their text, or cannot be told
            text = record.msg if isinstance(record.msg, str) else type(record.msg).__qualname__
            told |= {"message": text, "fault": type(error).__qualname__}
        log.log(level, "program.logged", **told)


def configure_logging(level: str = "INFO", style: LogFormat = LogFormat.AUTO) -> None:
    """Set up structlog for this process; `level` is a name such as INFO.

    A program that has set up the standard library's logging keeps that, and where it asked for more than warnings
    there, that holds here too: after `logging.basicConfig(level=logging.DEBUG)` all is told.
    """
    number, listener = logging.getLevelNamesMapping()[level.upper()], Listener()
    _forward_all(number)
    if logging.root.level < logging.WARNING:
        number = min(number, logging.root.level)
    structlog.configure(
        processors=_processors(style),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: listener,  # one for all lines: structlog asks for one at each, told or not
        cache_logger_on_first_use=False,
    )
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if number <= logging.DEBUG else logging.CRITICAL)


def _processors(style: LogFormat) -> list[structlog.typing.Processor]:
    is_terminal = standard_error().isatty()
    is_text = is_terminal if style is LogFormat.AUTO else style is LogFormat.TEXT
    has_people = is_text and is_terminal  # who know the day and their zone
    return [
        structlog.contextvars.merge_contextvars,
        with_trace_ids,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if has_people else "iso", utc=not has_people),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # as Python prints it: without the values of variables
        without_secrets,
        _renderer(is_text=is_text, is_terminal=is_terminal),
    ]


def _renderer(*, is_text: bool, is_terminal: bool) -> structlog.typing.Processor:
    if not is_text:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=structlog.dev.plain_traceback)


def _forward_all(number: int) -> None:
    """Hear the standard library's logging, unless the program has set it up itself and hears it already."""
    ours = [handler for handler in logging.root.handlers if isinstance(handler, Forwarding)]
    if ours or not logging.root.handlers:
        logging.root.setLevel(number)
    if not logging.root.handlers:
        logging.root.addHandler(Forwarding())
