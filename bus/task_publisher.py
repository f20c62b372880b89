"""What a consumer tells the world about a task: its result, its events, its copies for the ladder and the dead."""

import contextlib
from dataclasses import replace
from typing import Any

import structlog

from bus import codec
from bus.broker import DEFAULT_EXCHANGE, Broker
from bus.envelope import Envelope, copy_of, dead_letter, repeated
from bus.errors import PublishError, TopologyError
from bus.inflight import Entry
from bus.message import Message
from bus.retry import Failure
from bus.topology import QueueType, Topology, event_key, result_key
from schemas import EventKind, TaskEvent, TaskResult, now

log = structlog.get_logger(__name__)


class TaskPublisher:
    """Publishes for one agent on one host. What is awaited has been confirmed by the broker when it returns."""

    def __init__(self, broker: Broker, topology: Topology, agent: str, host: str) -> None:
        self._broker = broker
        self._topology = topology
        self._agent = agent
        self.host = host

    async def result(self, result: TaskResult, asked: Message) -> None:
        """Publish a terminal result, and to `reply_to` as well where the task has one."""
        message = codec.encode_result(result, correlation_id=asked.correlation_id)
        marked = result.model_copy(update={"redelivered": True})
        again = codec.encode_result(marked, correlation_id=asked.correlation_id)
        key = result_key(self._agent, result.status)
        # Not mandatory: nobody has to listen. A reply queue may be gone with its owner.
        await self._broker.publish(self._topology.results, key, message, mandatory=False, timeout=None, again=again)
        if asked.reply_to:
            await self._reply(asked.reply_to, message, again)

    async def _reply(self, queue: str, message: Message, again: Message) -> None:
        try:
            await self._broker.publish(DEFAULT_EXCHANGE, queue, message, mandatory=False, timeout=None, again=again)
        except (PublishError, TopologyError) as error:
            # Insisting would publish the result itself again and again: a reply queue is its owner's business.
            log.warning("reply.refused", agent=self._agent, queue=queue, reason=str(error))

    @property
    def broker_counts(self) -> bool:
        """Whether the broker itself counts how often a task comes back: quorum queues do, classic ones do not."""
        return self._topology.queue_type is QueueType.QUORUM

    def must_copy_back(self, entry: Entry) -> bool:
        """Whether a task is handed back as a copy, which loses its place in the queue.

        A quorum queue counts each requeue as a failed delivery. On a classic one, a task that has come back from a
        crash before would be taken for coming back from another.
        """
        return self.broker_counts or entry.envelope.redeliveries > 0

    async def hand_back(self, entry: Entry) -> None:
        """Put a copy of the same attempt back into the agent's queue."""
        await self._copy(entry, entry.envelope, self._topology.tasks, self._agent)

    async def later(self, entry: Entry, envelope: Envelope, rung_ms: int) -> None:
        """Put a copy with a new envelope on the ladder."""
        key = self._topology.delay_key(rung_ms, self._agent)
        await self._copy(entry, envelope, self._topology.delay, key)

    async def dead_letter(self, entry: Entry, reason: str, failure: Failure) -> None:
        """Put a copy with the reason into the agent's dead-letter queue."""
        why, when = (failure.code, failure.message), (now().isoformat(), self.host)
        letter = dead_letter(entry.message, entry.task.id, reason, why, entry.envelope, when)
        await self._broker.publish(self._topology.dead, self._agent, letter, timeout=None)

    async def _copy(self, entry: Entry, envelope: Envelope, exchange: str, key: str) -> None:
        # The copy of a task that may be done elsewhere as well says so: its result is then looked for, or marked.
        told = replace(envelope, copies=entry.copies, repeated=envelope.repeated or entry.is_doubtful)
        copy = copy_of(entry.message, entry.task, told)
        await self._broker.publish(exchange, key, copy, timeout=None, again=repeated(copy))

    def event(self, entry: Entry, kind: EventKind, **data: Any) -> None:
        """Announce a step of a task; transient, nobody waits for it."""
        event = TaskEvent(
            task_id=entry.task.id, agent=self._agent, kind=kind, host=self.host, attempt=entry.attempt, data=data
        )
        key = event_key(self._agent, kind, entry.task.id)
        with contextlib.suppress(ValueError):  # a text that is no Unicode, half a surrogate pair, has no JSON
            self._broker.announce(self._topology.events, key, codec.encode_event(event))
