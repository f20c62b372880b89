"""From an address to a broker: `amqp://` and `amqps://` are RabbitMQ, `memory://NAME` is in this process."""

from collections.abc import Mapping
from typing import Final

from bus.amqp_errors import split_urls
from bus.broker import Broker
from bus.client_properties import program_name
from bus.memory import MemoryBroker
from bus.rabbitmq import PATIENCE_SECONDS, RabbitBroker
from bus.version import VERSION

MEMORY_SCHEME: Final = "memory://"


def broker_at(
    urls: str,
    name: str | None = None,
    version: str = VERSION,
    *,
    properties: Mapping[str, str] | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Broker:
    """Return the broker at `urls` (several, separated by commas, are one cluster), not yet connected.

    The management UI shows `name`, the program's file if None, and `properties`, see `RabbitBroker`; `patience` is how
    long the first connect may take, in seconds.

    Raises:
        ConnectError: an address is no broker's.
    """
    if urls.startswith(MEMORY_SCHEME):
        return MemoryBroker(urls.removeprefix(MEMORY_SCHEME))
    return RabbitBroker(split_urls(urls), name or program_name(), version, properties=properties, patience=patience)
