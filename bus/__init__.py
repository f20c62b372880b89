"""How messages cross: RabbitMQ through aio-pika, and an in-memory peer. Knows no agent and no model."""

import logging

from bus.default_log import configure_default_log

# aiormq logs with tracebacks what our supervisor handles; without this, Python prints it where nobody set up logging.
for _library in ("aiormq", "aio_pika"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

configure_default_log()
