"""What is declared on a broker: exchanges, queues and bindings, as frozen data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Argument = str | int
"""A queue or exchange argument, as RabbitMQ takes it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable topic exchange."""

    name: str
    alternate: str | None = None

    @property
    def arguments(self) -> dict[str, Argument]:
        """Return the arguments of `exchange.declare`."""
        return {} if self.alternate is None else {"alternate-exchange": self.alternate}


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue. Arguments never change for a name: RabbitMQ refuses a second declaration that differs.

    An `exclusive` one is not durable: it goes with the connection that made it, and with the node. The `description`
    is for people, and makes no difference.
    """

    name: str
    arguments: Mapping[str, Argument]
    exclusive: bool = False
    description: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Binding:
    """Messages that reach `exchange` with a key that matches `key` go to `queue`."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to declare, in this order."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def parts(self) -> Iterator["Plan"]:
        """Iterate over plans of one thing each, in the same order."""
        yield from (Plan(exchanges=(exchange,)) for exchange in self.exchanges)
        yield from (Plan(queues=(queue,)) for queue in self.queues)
        yield from (Plan(bindings=(binding,)) for binding in self.bindings)
