"""From an address to a broker: `amqp://` and `amqps://` are RabbitMQ, `memory://NAME` is in this process."""

from typing import Final

from bus.amqp_errors import split_urls
from bus.broker import Broker
from bus.memory import MemoryBroker
from bus.rabbitmq import PATIENCE_SECONDS, RabbitBroker

MEMORY_SCHEME: Final = "memory://"


def broker_at(urls: str, name: str = "a program", version: str = "", *, patience: float = PATIENCE_SECONDS) -> Broker:
    """Return the broker at `urls` (several, separated by commas, are one cluster), not yet connected.

    `name` is what the management UI shows; `patience` is how long the first connect may take, in seconds.

    Raises:
        ConnectError: an address is no broker's.
    """
    if urls.startswith(MEMORY_SCHEME):
        return MemoryBroker(urls.removeprefix(MEMORY_SCHEME))
    return RabbitBroker(split_urls(urls), name, version, patience=patience)
