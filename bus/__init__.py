"""How messages cross: RabbitMQ through aio-pika, and an in-memory peer. Knows no agent and no model."""

import logging
import sys

import structlog

# A program that configures no logging of its own hears warnings, on standard error: structlog's default would put all
# of ours among the program's answers.
if not structlog.is_configured():
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
