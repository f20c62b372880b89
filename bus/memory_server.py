"""The exchanges, bindings and queues of the in-memory broker."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final
from uuid import uuid4
from weakref import WeakValueDictionary

from bus.broker import DEFAULT_EXCHANGE, QueueInfo
from bus.errors import BusError, LogUnavailable, QueueFull, TopologyError, Unroutable
from bus.memory_log import MemoryLog
from bus.memory_queue import MemoryQueue, Stored
from bus.message import Message
from bus.plan import Binding, Exchange, Plan, Queue
from bus.routing_keys import matches

DEAD_LETTER_PAUSE_SECONDS: Final = 0.5
"""Before a dead-lettered message that no queue took is sent again; RabbitMQ takes three minutes."""


class MemoryServer:
    """What a RabbitMQ node is to its connections. Lives as long as somebody is connected to it."""

    _by_name: ClassVar["WeakValueDictionary[str, MemoryServer]"] = WeakValueDictionary()

    def __init__(self) -> None:
        self.queues: dict[str, MemoryQueue] = {}
        self._exchanges: dict[str, Exchange] = {}
        self._bindings: dict[Binding, None] = {}

    @classmethod
    def named(cls, name: str) -> "MemoryServer":
        """Return the server of this name in this process: `memory://NAME` means the same one everywhere."""
        server = cls._by_name.get(name)
        if server is None:
            server = cls._by_name[name] = cls()
        return server

    def declare(self, plan: Plan) -> None:
        """Declare all of `plan`.

        Raises:
            TopologyError: something exists with other arguments, or a binding names what does not exist.
        """
        for exchange in plan.exchanges:
            self._declare_exchange(exchange)
        for queue in plan.queues:
            self._declare_queue(queue)
        for binding in plan.bindings:
            self._bind(binding)

    def _declare_exchange(self, exchange: Exchange) -> None:
        existing = self._exchanges.setdefault(exchange.name, exchange)
        if existing != exchange:
            raise TopologyError(
                f"something on the broker differs from what is expected: exchange {exchange.name!r} exists with "
                f"{existing.arguments}, not with {exchange.arguments}"
            )

    def _declare_queue(self, queue: Queue) -> None:
        existing = self.queues.setdefault(queue.name, _new_queue(queue))
        if existing.arguments != dict(queue.arguments):
            raise TopologyError(
                f"something on the broker differs from what is expected: queue {queue.name!r} exists with "
                f"{existing.arguments}, not with {dict(queue.arguments)}"
            )

    def _bind(self, binding: Binding) -> None:
        self._exchange(binding.exchange)
        self.queue(binding.queue)
        self._bindings[binding] = None

    def queue(self, name: str) -> MemoryQueue:
        """Return a queue. Raises TopologyError where there is none."""
        if name not in self.queues:
            raise TopologyError(f"something is missing on the broker: no queue {name!r}")
        return self.queues[name]

    def _exchange(self, name: str) -> Exchange:
        if name not in self._exchanges:
            raise TopologyError(f"something is missing on the broker: no exchange {name!r}")
        return self._exchanges[name]

    def log(self, name: str) -> MemoryLog:
        """Return a log. Raises LogUnavailable where there is none."""
        log = self.queues.get(name)
        if not isinstance(log, MemoryLog):
            raise LogUnavailable(name)
        return log

    def info(self, name: str) -> QueueInfo | None:
        """Return the state of a queue, or None."""
        queue = self.queues.get(name)
        return None if queue is None else QueueInfo(name, queue.ready, len(queue.consumers))

    def delete_queue(self, name: str) -> None:
        """Delete a queue, its messages and its bindings."""
        queue = self.queues.pop(name, None)
        self._bindings = {binding: None for binding in self._bindings if binding.queue != name}
        for consumer in () if queue is None else tuple(queue.consumers):
            consumer.cancelled()

    def publish(self, exchange: str, key: str, message: Message, *, mandatory: bool) -> None:
        """Route a message. Raises Unroutable, QueueFull and TopologyError as RabbitMQ would."""
        targets = self._route(exchange, key)
        if not targets and mandatory:
            raise Unroutable(f"no queue took the message while publishing to {exchange or key!r}")
        if any(queue.refuses for queue in targets):
            raise QueueFull(
                f"the broker refused the message, its queue is full, while publishing to {exchange or key!r}"
            )
        if targets:  # of events, most have none
            self._enqueue(targets, _with_id(message), key)

    def _route(self, exchange: str, key: str) -> list[MemoryQueue]:
        if exchange == DEFAULT_EXCHANGE:
            return [self.queues[key]] if key in self.queues else []
        names = {b.queue: None for b in self._bindings if b.exchange == exchange and matches(b.key, key)}
        alternate = self._exchange(exchange).alternate
        if not names and alternate is not None:
            return self._route(alternate, key)
        return [self.queues[name] for name in names]

    def _enqueue(self, queues: Iterable[MemoryQueue], message: Message, key: str) -> None:
        loop = asyncio.get_running_loop()
        for queue in queues:
            stored = queue.put(message, key)
            if queue.ttl is not None:
                loop.call_later(queue.ttl, self._expire, queue, stored)
            # Never from within the publisher's own call, as on a real broker.
            loop.call_soon(queue.dispatch)

    def _expire(self, queue: MemoryQueue, stored: Stored) -> None:
        target = queue.arguments.get("x-dead-letter-exchange")
        if not queue.remove(stored) or target is None:
            return
        key = str(queue.arguments.get("x-dead-letter-routing-key", stored.key))
        try:
            self.publish(str(target), key, stored.message, mandatory=True)
        except BusError:
            # Nobody is told. Only this strategy keeps the message until a queue takes it.
            if queue.arguments.get("x-dead-letter-strategy") == "at-least-once":
                queue.keep(stored)
                asyncio.get_running_loop().call_later(DEAD_LETTER_PAUSE_SECONDS, self._expire, queue, stored)


def _with_id(message: Message) -> Message:
    # aiormq does the same for every publish.
    return message if message.message_id else replace(message, message_id=uuid4().hex)


def _new_queue(queue: Queue) -> MemoryQueue:
    kind = MemoryLog if queue.arguments.get("x-queue-type") == "stream" else MemoryQueue
    return kind(queue.name, queue.arguments)
