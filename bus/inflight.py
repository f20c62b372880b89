"""Which tasks are held here and which have just ended: a redelivery joins its task, it never runs it again."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, TypeVar

from bus.codec import IncomingTask, own_headers
from bus.message import Delivery, Message
from schemas import TaskMessage

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED: Final = 1_000
"""Ended tasks that are remembered. A redelivery comes within seconds of a reconnect, so this is plenty."""


@dataclass(slots=True)
class Entry:
    """One task held here, and all deliveries of it that have to be settled when it ends."""

    task: TaskMessage
    attempt: int
    message: Message
    deliveries: list[Delivery]
    queue_wait: float
    redelivered: bool
    anonymous: bool

    @property
    def is_orphan(self) -> bool:
        """Whether no delivery of it can be settled any more: the broker delivers it again."""
        return not any(delivery.alive for delivery in self.deliveries)


class InFlight:
    """The tasks of one consumer by id."""

    def __init__(self) -> None:
        self._held: dict[str, Entry] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._unacknowledged: OrderedDict[bytes, TaskMessage] = OrderedDict()

    @property
    def held(self) -> int:
        """How many tasks are held: running, or waiting for a handler slot."""
        return len(self._held)

    def recognise(self, incoming: IncomingTask, delivery: Delivery) -> IncomingTask:
        """Give an anonymous redelivery the id that its task got at its first delivery here.

        A publisher that gives neither id nor message_id leaves nothing to know a redelivery by but its bytes. Two equal
        messages are two tasks, so only one whose own delivery is dead may be taken for the same.
        """
        if not (incoming.anonymous and delivery.redelivered):
            return incoming
        print_ = _fingerprint(delivery.message)
        orphans = (e for e in self._held.values() if e.anonymous and e.is_orphan)
        running = next((e.task for e in orphans if _fingerprint(e.message) == print_), None)
        known = running or self._unacknowledged.pop(print_, None)
        return incoming if known is None else replace(incoming, task=known)

    def join(self, incoming: IncomingTask, delivery: Delivery) -> bool:
        """Add a delivery to the task it belongs to; False if that is not held here.

        A later attempt is no duplicate: it came over the ladder before the confirm of its copy did.
        """
        entry = self._held.get(incoming.task.id)
        if entry is None or incoming.attempt > entry.attempt:
            return False
        entry.deliveries.append(delivery)
        return True

    def has_ended(self, incoming: IncomingTask) -> bool:
        """Whether this attempt, or a later one, has ended here already."""
        return self._ended.get(incoming.task.id, 0) >= incoming.attempt

    def begin(self, incoming: IncomingTask, delivery: Delivery, queue_wait: float) -> Entry:
        """Hold a new task."""
        entry = Entry(
            incoming.task,
            incoming.attempt,
            delivery.message,
            [delivery],
            queue_wait,
            delivery.redelivered,
            incoming.anonymous,
        )
        self._held[entry.task.id] = entry
        return entry

    def end(self, entry: Entry, *, acknowledged: bool) -> None:
        """Note that this attempt is over and must not run again here."""
        self.forget(entry)
        _remember(self._ended, entry.task.id, max(entry.attempt, self._ended.get(entry.task.id, 0)))
        if entry.anonymous and not acknowledged:
            _remember(self._unacknowledged, _fingerprint(entry.message), entry.task)

    def forget(self, entry: Entry) -> None:
        """Note that this task is not held here any more, and may come again."""
        if self._held.get(entry.task.id) is entry:
            del self._held[entry.task.id]


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)


def _fingerprint(message: Message) -> bytes:
    # Without the broker's headers: quorum queues count deliveries there.
    return sha256(repr(replace(message, headers=own_headers(message.headers))).encode()).digest()
