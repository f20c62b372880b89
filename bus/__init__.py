"""How messages cross: RabbitMQ through aio-pika, and an in-memory peer. Knows no agent and no model."""

import logging
import sys

import structlog

# aiormq logs with tracebacks what our supervisor handles; without this, Python prints it where nobody set up logging.
for _library in ("aiormq", "aio_pika"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# A program that configures no logging of its own hears warnings, on standard error: structlog's default would put all
# of ours among the program's answers.
if not structlog.is_configured():
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
