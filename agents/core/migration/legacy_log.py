"""The `logger` of an old agent: a standard one, whose lines go where all others of the process go."""

import logging
from typing import Final

import structlog

log = structlog.get_logger(__name__)


class _Forwarded(logging.Handler):
    """Hands records on to structlog, unless the program has set up logging of its own, which then has them already."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.root.handlers:
            told = {"agent": record.name.removeprefix(_PREFIX), "message": record.getMessage()}
            log.log(record.levelno, "legacy.log", **told, exc_info=record.exc_info)


_PREFIX: Final = "legacy."


def legacy_logger(name: str) -> logging.Logger:
    """Return the logger of the old agent `name`, of every level that the process lets through."""
    logger = logging.getLogger(_PREFIX + name)
    logger.setLevel(logging.DEBUG)
    if not any(isinstance(handler, _Forwarded) for handler in logger.handlers):
        logger.addHandler(_Forwarded())
    return logger
