"""What a consumer tells the world about a task: its result, its events, its copies for the ladder and the dead."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import structlog

from bus import codec
from bus.broker import DEFAULT_EXCHANGE, Broker
from bus.errors import PublishError, TopologyError
from bus.inflight import Entry
from bus.message import Message
from bus.retry import Failure
from bus.topology import QueueType, Topology, event_key, result_key
from schemas import EventKind, TaskEvent, TaskResult

log = structlog.get_logger(__name__)


class TaskPublisher:
    """Publishes for one agent on one host. What is awaited has been confirmed by the broker when it returns."""

    def __init__(self, broker: Broker, topology: Topology, agent: str, host: str) -> None:
        self._broker = broker
        self._topology = topology
        self._agent = agent
        self._host = host

    async def result(self, result: TaskResult, asked: Message) -> None:
        """Publish a terminal result, and to `reply_to` as well where the task has one."""
        message = codec.encode_result(result, correlation_id=asked.correlation_id)
        key = result_key(self._agent, result.status)
        # Not mandatory: nobody has to listen. A reply queue may be gone with its owner.
        await self._broker.publish(self._topology.results, key, message, mandatory=False, timeout=None)
        if asked.reply_to:
            await self._reply(asked.reply_to, message)

    async def _reply(self, queue: str, message: Message) -> None:
        try:
            await self._broker.publish(DEFAULT_EXCHANGE, queue, message, mandatory=False, timeout=None)
        except (PublishError, TopologyError) as error:
            # Insisting would publish the result itself again and again: a reply queue is its owner's business.
            log.warning("reply.refused", agent=self._agent, queue=queue, reason=str(error))

    @property
    def must_copy_back(self) -> bool:
        """Whether a task is handed back as a copy.

        A quorum queue counts each requeue as a failed delivery, and dead-letters a task that waited out a few outages.
        """
        return self._topology.queue_type is QueueType.QUORUM

    async def hand_back(self, entry: Entry) -> None:
        """Put a copy of the same attempt back into the agent's queue."""
        copy = codec.retry_copy(entry.message, entry.task, entry.attempt)
        await self._broker.publish(self._topology.tasks, self._agent, copy, timeout=None)

    async def retry(self, entry: Entry, rung_ms: int) -> None:
        """Put a copy with the next attempt's number on the ladder."""
        copy = codec.retry_copy(entry.message, entry.task, entry.attempt + 1)
        await self._broker.publish(
            self._topology.delay, self._topology.delay_key(rung_ms, self._agent), copy, timeout=None
        )

    async def dead_letter(self, message: Message, reason: str, failure: Failure, attempt: int) -> None:
        """Put a copy with the reason into the agent's dead-letter queue."""
        why = (failure.code, failure.message)
        copy = codec.dead_letter(message, reason, why, attempt, self._host, datetime.now(UTC))
        await self._broker.publish(self._topology.dead, self._agent, copy, timeout=None)

    def event(self, entry: Entry, kind: EventKind, **data: Any) -> None:
        """Announce a step of a task; transient, nobody waits for it."""
        event = TaskEvent(
            task_id=entry.task.id, agent=self._agent, kind=kind, host=self._host, attempt=entry.attempt, data=data
        )
        key = event_key(self._agent, kind, entry.task.id)
        with contextlib.suppress(ValueError):  # a text that is no Unicode, half a surrogate pair, has no JSON
            self._broker.announce(self._topology.events, key, codec.encode_event(event))
