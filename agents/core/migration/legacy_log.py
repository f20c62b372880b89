"""The `logger` of an old agent: a standard one, whose lines go where all others of the process go."""

import logging

from agents.core.log import Forwarding


class _Alone(Forwarding):
    """Forwards where nobody else hears the standard library's logging: neither `run` nor the program has set it up."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.root.handlers:
            super().emit(record)


def legacy_logger(name: str) -> logging.Logger:
    """Return the logger of the old agent `name`, of every level that the process lets through."""
    logger = logging.getLogger(f"legacy.{name}")
    logger.setLevel(logging.DEBUG)
    if not any(isinstance(handler, _Alone) for handler in logger.handlers):
        logger.addHandler(_Alone())
    return logger
