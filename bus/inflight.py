"""Which tasks are held here and which have just ended: a redelivery joins its task, it never runs it again."""

import sys
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bus.asker import Asker, asker_of
from bus.codec import IncomingTask
from bus.envelope import Envelope
from bus.fingerprint import fingerprint
from bus.message import Delivery, Message
from bus.remembering import remember
from schemas import TaskMessage

_FOR_EVER: Final = sys.maxsize

REMEMBERED: Final = 1_000
"""Ended tasks that are remembered. A redelivery comes within seconds of a reconnect, so this is plenty."""


@dataclass(slots=True)
class Entry:
    """One task held here, and all deliveries of it that have to be settled when it ends."""

    incoming: IncomingTask
    message: Message
    deliveries: list[Delivery]
    queue_wait: float
    """Seconds from the task's `created_at` to this delivery."""
    redelivered: bool
    """Whether the broker has handed the task out before, so that somebody else may have done it too."""
    delivered_at: float
    """Monotonic seconds: the broker's patience for an acknowledgement counts from here."""
    copies: int
    """Of the newest of its deliveries; see `bus.envelope.COPIES_HEADER`."""
    is_settling: bool = False
    """Whether its work is over, or was never to begin: its outcome is being carried out."""

    is_copied: bool = False
    """Whether a copy of it is on its way to its queue or the ladder, and takes its place."""

    returned: bool = False
    """Whether a host handed it back before on purpose, this one or another, so that nobody has done it."""

    askers: tuple[Asker, ...] = ()
    """Who waits beside those whose deliveries are in hand, as copies of it told."""

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody else may have done the task, or be about to: it came back, or is going to elsewhere."""
        return (self.redelivered and not self.returned) or self.is_orphan

    @property
    def task(self) -> TaskMessage:
        """The task."""
        return self.incoming.task

    @property
    def envelope(self) -> Envelope:
        """The task's life before this delivery."""
        return self.incoming.envelope

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.incoming.envelope.attempt

    @property
    def is_orphan(self) -> bool:
        """Whether no delivery of it can be settled any more: the broker delivers it again."""
        return bool(self.deliveries) and not any(delivery.alive for delivery in self.deliveries)

    @property
    def asking(self) -> Iterator[Asker]:
        """Who waits for its result, as far as its deliveries tell."""
        in_hand = (asker_of(delivery.message, self.task.id) for delivery in self.deliveries)
        yield from (asker for asker in in_hand if asker is not None)
        yield from self.askers


@dataclass(frozen=True, slots=True)
class _Identity:
    """What was made up here for a task whose publisher gave it no id. It is remembered without the task's body."""

    task_id: str
    created_at: datetime
    key: str


class InFlight:
    """The tasks of one consumer by key."""

    def __init__(self) -> None:
        self._held: dict[str, Entry] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._anonymous: OrderedDict[str, _Identity] = OrderedDict()
        self._returned: OrderedDict[str, int] = OrderedDict()

    @property
    def held(self) -> int:
        """How many tasks are held: running, or waiting for a handler slot."""
        return len(self._held)

    @property
    def entries(self) -> Collection[Entry]:
        """The tasks that are held."""
        return self._held.values()

    def recognise(self, incoming: IncomingTask, delivery: Delivery) -> IncomingTask:
        """Give an anonymous redelivery the id that its task got at its first delivery here.

        A publisher that gives neither id nor message_id leaves nothing to know a redelivery by but its bytes. Two equal
        messages are two tasks, so only one whose own delivery is dead may be taken for the same.
        """
        if not (incoming.anonymous and delivery.redelivered):
            return incoming
        print_ = fingerprint(delivery.message)
        orphans = (e for e in self._held.values() if e.incoming.anonymous and e.is_orphan)
        running = next((_identity(e.incoming) for e in orphans if fingerprint(e.message) == print_), None)
        known = running or self._anonymous.pop(print_, None)
        if known is None:
            return incoming
        made = {"id": known.task_id, "created_at": known.created_at}
        return replace(incoming, task=incoming.task.model_copy(update=made), key=known.key)

    def join(self, incoming: IncomingTask, delivery: Delivery) -> bool:
        """Add a delivery to the task it belongs to; False if that is not held here.

        The copy that this host itself has just published is no part of it: it may come before its confirm does.
        """
        entry = self._held.get(incoming.key)
        if entry is None or (entry.is_copied and incoming.envelope.copies > entry.copies):
            return False
        entry.deliveries.append(delivery)
        entry.copies = max(entry.copies, incoming.envelope.copies)
        entry.askers += incoming.envelope.askers
        return True

    def has_ended(self, incoming: IncomingTask) -> bool:
        """Whether the task has ended here, or this delivery was replaced here by a copy."""
        return self._ended.get(incoming.key, -1) >= incoming.envelope.copies

    def is_over(self, incoming: IncomingTask) -> bool:
        """Whether the task has its result from here; a copy that replaced it may still be on its way to one."""
        return self._ended.get(incoming.key) == _FOR_EVER

    def explains(self, incoming: IncomingTask) -> bool:
        """Whether it is known here why this task comes again: it is held, has ended, or was handed back here."""
        was_returned = self._returned.get(incoming.key, -1) == incoming.envelope.copies
        return was_returned or incoming.key in self._held or self.has_ended(incoming)

    def was_returned(self, incoming: IncomingTask) -> bool:
        """Whether this very delivery was handed back here, so that its coming again is no sign of a crash.

        True once for each return.
        """
        return self._returned.pop(incoming.key, -1) == incoming.envelope.copies

    def begin(self, incoming: IncomingTask, delivery: Delivery, queue_wait: float, at: float) -> Entry:
        """Hold a new task."""
        redelivered = delivery.redelivered or incoming.envelope.was_lost
        copies = incoming.envelope.copies
        askers = incoming.envelope.askers
        entry = Entry(incoming, delivery.message, [delivery], queue_wait, redelivered, at, copies, askers=askers)
        self._held[incoming.key] = entry
        return entry

    def end(self, entry: Entry, *, acknowledged: bool) -> None:
        """Note that the task has its result: whatever else comes of it is a duplicate."""
        self._note_end(entry, _FOR_EVER, acknowledged=acknowledged)

    def replaced(self, entry: Entry, *, acknowledged: bool) -> None:
        """Note that a copy has taken the place of what was delivered."""
        self._note_end(entry, entry.copies, acknowledged=acknowledged)

    def give_back(self, entry: Entry) -> None:
        """Note that this task goes back to its queue by our own will, and may come again."""
        self.forget(entry)
        remember(self._returned, entry.incoming.key, entry.copies, REMEMBERED)
        self._recognise_later(entry)

    def _note_end(self, entry: Entry, copies: int, *, acknowledged: bool) -> None:
        self.forget(entry)
        key = entry.incoming.key
        remember(self._ended, key, max(copies, self._ended.get(key, -1)), REMEMBERED)
        if not acknowledged:
            self._recognise_later(entry)

    def _recognise_later(self, entry: Entry) -> None:
        if entry.incoming.anonymous:
            remember(self._anonymous, fingerprint(entry.message), _identity(entry.incoming), REMEMBERED)

    def forget(self, entry: Entry) -> None:
        """Note that this task is not held here any more, and may come again."""
        if self._held.get(entry.incoming.key) is entry:
            del self._held[entry.incoming.key]


def _identity(incoming: IncomingTask) -> _Identity:
    return _Identity(incoming.task.id, incoming.task.created_at, incoming.key)
