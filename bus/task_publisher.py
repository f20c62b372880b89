"""What a consumer tells the world about a task: its result, its events, its copies for the ladder and the dead."""

import asyncio
import contextlib
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final

import structlog

from bus import codec
from bus.asker import Asker
from bus.broker import DEFAULT_EXCHANGE, Broker
from bus.connection import back_off
from bus.envelope import LEFT_OUT_HEADER, Envelope, copy_of, dead_letter, repeated
from bus.errors import BusError, MessageTooLarge, PublishError, QueueFull, TopologyError
from bus.fingerprint import fingerprint
from bus.inflight import Entry
from bus.message import Message
from bus.retry import Failure
from bus.routing_keys import event_key, result_key, returned_key
from bus.spans import answering, processing
from bus.topology import QueueType, Topology
from bus.tracing import Span, carrying
from schemas import HIGHEST, EventKind, Returned, TaskEvent, TaskResult, now

log = structlog.get_logger(__name__)

WORD_SECONDS: Final = 1.0
"""What saying that a delivery goes back may take; unsaid, the next host counts one redelivery too many."""

REPLY_TRIES: Final = 5
"""A quorum queue refuses while it elects a leader, for less than a second; a full one goes on refusing."""


class TaskPublisher:
    """Publishes for one agent on one host. What is awaited has been confirmed by the broker when it returns."""

    def __init__(self, broker: Broker, topology: Topology, agent: str, host: str) -> None:
        self._broker = broker
        self._topology = topology
        self._agent = agent
        self._may_speak = True
        self.host = host

    def processing(self, entry: Entry) -> AbstractContextManager[None]:
        """Trace one attempt at a task within the block, from its delivery to its settlement."""
        return processing(self._topology, self._agent, entry)

    def answering(self, result: TaskResult) -> AbstractContextManager[Span]:
        """Trace the publishing of a terminal result within the block, all tries together."""
        return answering(self._topology, self._agent, result)

    async def result(self, result: TaskResult, asked: Message) -> None:
        """Publish a terminal result, once.

        Raises:
            ConnectionLost: the connection is away or was lost; the result may still arrive.
        """
        message = carrying(codec.encode_result(result, correlation_id=asked.correlation_id))
        key = result_key(self._agent, result.status)
        # Not mandatory: nobody has to listen.
        await self._broker.publish(self._topology.results, key, message, mandatory=False, timeout=None, once=True)

    async def reply(self, result: TaskResult, asked: Message | Asker) -> None:
        """Publish a terminal result to `reply_to` as well, where there is one; its queue may be gone by now."""
        if not asked.reply_to:
            return None
        message = carrying(codec.encode_result(result, correlation_id=asked.correlation_id))
        again = carrying(codec.encode_result(marked(result), correlation_id=asked.correlation_id))
        for attempt in range(REPLY_TRIES):
            try:
                return await self._broker.publish(
                    DEFAULT_EXCHANGE, asked.reply_to, message, mandatory=False, timeout=None, again=again
                )
            except (PublishError, TopologyError) as error:
                # Insisting could go on for ever: a reply queue is its owner's business.
                log.warning("reply.refused", queue=asked.reply_to, reason=str(error))
                if not isinstance(error, QueueFull):
                    return None
                message = again
                await asyncio.sleep(back_off(attempt))
        return None

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

    async def hand_back(self, entry: Entry, *, again: bool) -> None:
        """Put a copy of the same attempt back into the agent's queue; `again`, if one may be there already."""
        await self._copy(entry, entry.envelope, self._topology.tasks, self._agent, again=again)

    async def returning(self, entry: Entry) -> None:
        """Say that a delivery goes back on purpose. Confirmed before it does, so that the next host hears it in time.

        Without the right to, or without a connection, it goes back unsaid.
        """
        if not self._may_speak or entry.is_orphan:
            return
        priority = min(entry.message.priority or 0, HIGHEST)
        digests = (fingerprint(entry.message),)
        word = Returned(host=self.host, digests=digests, agent=self._agent, priority=priority)
        message, key = codec.encode_control(word), returned_key(self._agent)
        try:
            await self._broker.publish(
                self._topology.control, key, message, mandatory=False, timeout=WORD_SECONDS, once=True
            )
        except TopologyError as error:
            self._may_speak = False
            log.warning("word.refused", reason=str(error), effect="other hosts count what goes back")
        except BusError as error:
            log.debug("word.unsaid", reason=str(error))

    async def later(self, entry: Entry, envelope: Envelope, rung_ms: int, *, again: bool) -> None:
        """Put a copy with a new envelope on the ladder; `again`, if one may be there already."""
        key = self._topology.delay_key(rung_ms, self._agent)
        await self._copy(entry, envelope, self._topology.delay, key, again=again)

    async def dead_letter(self, entry: Entry, reason: str, failure: Failure) -> None:
        """Put a copy with the reason into the agent's dead-letter queue."""
        why, when = (failure.code, failure.message), (now().isoformat(), self.host)
        letter = dead_letter(entry.message, entry.task.id, reason, why, entry.envelope, when)
        try:
            await self._broker.publish(self._topology.dead, self._agent, letter, timeout=None)
        except MessageTooLarge:
            # It came in under a larger limit, as before an upgrade. What is known of it is kept, its body cannot be.
            log.warning("dead_letter.without_body", size=len(letter.body))
            headers = {**letter.headers, LEFT_OUT_HEADER: f"body of {len(letter.body)} bytes"}
            kept = replace(letter, body=b"", headers=headers)
            await self._broker.publish(self._topology.dead, self._agent, kept, timeout=None)

    async def _copy(self, entry: Entry, envelope: Envelope, exchange: str, key: str, *, again: bool) -> None:
        # The copy of a task that may be done elsewhere as well says so: its result is then looked for, or marked.
        is_repeated = envelope.repeated or entry.is_doubtful
        told = replace(envelope, copies=entry.copies, repeated=is_repeated, askers=entry.askers)
        copy = copy_of(entry.message, entry.task, told)
        second = repeated(copy)
        await self._broker.publish(exchange, key, second if again else copy, timeout=None, again=second)

    def event(self, entry: Entry, kind: EventKind, **data: Any) -> None:
        """Announce a step of a task; transient, nobody waits for it."""
        event = TaskEvent(
            task_id=entry.task.id, agent=self._agent, kind=kind, host=self.host, attempt=entry.attempt, data=data
        )
        key = event_key(self._agent, kind, entry.task.id)
        with contextlib.suppress(ValueError):  # a text that is no Unicode, half a surrogate pair, has no JSON
            self._broker.announce(self._topology.events, key, carrying(codec.encode_event(event)))


def marked(result: TaskResult) -> TaskResult:
    """Return a result that says that there may be another one of its task."""
    return result.model_copy(update={"redelivered": True})
