"""Brokers with a fault of their own around a good one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Self

from bus.broker import Broker, LinkState, OnState, QueueInfo, Subscription
from bus.errors import ConnectionLost, QueueFull
from bus.message import Delivery, Message
from bus.plan import Plan


class Through:
    """A broker that passes everything on to another."""

    def __init__(self, broker: Broker) -> None:
        self.inner = broker

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Leave the inner one open."""

    @property
    def description(self) -> str:
        return self.inner.description

    @property
    def links(self) -> Mapping[str, LinkState]:
        return self.inner.links

    async def declare(self, plan: Plan) -> None:
        await self.inner.declare(plan)

    async def queue_info(self, name: str) -> QueueInfo | None:
        return await self.inner.queue_info(name)

    async def delete_queue(self, name: str) -> None:
        await self.inner.delete_queue(name)

    def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        return self.inner.read_log(name, since)

    def browse(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        return self.inner.browse(queue)

    async def publish(
        self,
        exchange: str,
        key: str,
        message: Message,
        *,
        mandatory: bool = True,
        timeout: float | None = 30.0,
        again: Message | None = None,
        once: bool = False,
    ) -> None:
        await self.before(exchange, message)
        await self.inner.publish(exchange, key, message, mandatory=mandatory, timeout=timeout, again=again, once=once)
        await self.after(exchange)

    async def before(self, exchange: str, message: Message) -> None:
        """What happens on the way to the broker."""

    async def after(self, exchange: str) -> None:
        """What happens on the way back: the broker has the message."""

    def announce(self, exchange: str, key: str, message: Message) -> None:
        self.inner.announce(exchange, key, message)

    def subscribe(
        self,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int,
        tag: str,
        plan: Plan,
        on_state: OnState | None = None,
        paused: bool = False,
    ) -> Subscription:
        return self.inner.subscribe(
            queue, on_delivery, prefetch=prefetch, tag=tag, plan=plan, on_state=on_state, paused=paused
        )


class LateConfirms(Through):
    """Confirms what goes to one exchange only after `confirm` is set, though the broker has it at once."""

    def __init__(self, broker: Broker, exchange: str) -> None:
        super().__init__(broker)
        self._exchange = exchange
        self.confirm = asyncio.Event()

    async def after(self, exchange: str) -> None:
        if exchange == self._exchange:
            await self.confirm.wait()


class Refusing(Through):
    """Refuses what goes to one exchange, while `refuses` is set."""

    def __init__(self, broker: Broker, exchange: str) -> None:
        super().__init__(broker)
        self._exchange = exchange
        self.refuses = True
        self.refused = 0

    async def before(self, exchange: str, message: Message) -> None:  # noqa: ARG002 - whatever the message is
        if exchange == self._exchange and self.refuses:
            self.refused += 1
            raise QueueFull("full")


class LosesConfirms(Through):
    """Loses the connection between the arrival of each message at one exchange and its confirm: it goes out twice."""

    def __init__(self, broker: Broker, exchange: str) -> None:
        super().__init__(broker)
        self._exchange = exchange
        self._lost: set[str | None] = set()

    async def publish(
        self,
        exchange: str,
        key: str,
        message: Message,
        *,
        mandatory: bool = True,
        timeout: float | None = 30.0,
        again: Message | None = None,
        once: bool = False,
    ) -> None:
        await super().publish(exchange, key, message, mandatory=mandatory, timeout=timeout)
        if exchange != self._exchange or message.correlation_id in self._lost:
            return
        if once:
            self._lost.add(message.correlation_id)
            raise ConnectionLost("lost before the confirm")
        await super().publish(exchange, key, again or message, mandatory=mandatory, timeout=timeout)
