"""(a delivery, what is known of its task) -> what becomes of it before any work, if anything does. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bus.inflight import Entry
from bus.outcome import Outcome, Postponed, buried, outcome_of_cancel, outcome_of_expiry
from bus.retry import Failure, choose_rung
from bus.suspects import is_suspect
from schemas import PastAttempt, TaskError, TaskStatus

LONGEST_WAIT: Final = timedelta(seconds=604_800)
"""What `RetryRules.cap` allows: a task that is to wait longer was not put off by one of us, and is not put off here."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a delivery's task here.

    `cancelled`: that nobody wants it any more, and the reason told, maybe none. `came_back`: it was delivered before
    and came back unsettled, nobody has counted that yet, and it was not this host that handed it back.
    `suspect_at_work`: another task that came back several times is being worked on in this process. `still_running`:
    an earlier attempt at this one goes on here, though it was told to end.
    """

    now: datetime
    host: str
    cancelled: bool = False
    cancel_reason: str | None = None
    came_back: bool = False
    suspect_at_work: bool = False
    still_running: bool = False


def before_work(entry: Entry, known: Known, rungs_ms: tuple[int, ...], max_redeliveries: int) -> Outcome | None:
    """Return the outcome of a task that is not to be worked on now, or None: it is."""
    if entry.incoming.fault is not None:
        failure = Failure("unreadable", str(entry.incoming.fault), retryable=False, quotes=True)
        return buried(entry, TaskStatus.REJECTED, failure, 0.0, "unreadable")
    if known.cancelled:
        return outcome_of_cancel(entry, known.cancel_reason, 0.0)
    expires = entry.task.expires_at()
    if expires is not None and expires <= known.now:
        return outcome_of_expiry(entry, 0.0)
    came_back = entry.envelope.redeliveries + known.came_back
    if came_back > max_redeliveries:
        return _poison(entry, came_back)
    return _later(entry, known, rungs_ms, max_redeliveries)


def _later(entry: Entry, known: Known, rungs_ms: tuple[int, ...], max_redeliveries: int) -> Postponed | None:
    redeliveries = entry.envelope.redeliveries
    if known.came_back:
        return _counted(entry, known, rungs_ms)
    if known.still_running:
        return Postponed(rungs_ms[0], entry.envelope, "an earlier attempt has not ended yet")
    if known.suspect_at_work and is_suspect(redeliveries, max_redeliveries):
        return Postponed(_rung_after(redeliveries, rungs_ms), entry.envelope, "another that came back is worked on")
    return _not_yet(entry, known.now, rungs_ms)


def _poison(entry: Entry, times: int) -> Outcome:
    told = f"it was delivered {times + 1} times and never settled: it may be what ends the processes that work on it"
    return buried(entry, TaskStatus.FAILED, Failure("poison", told, retryable=False), 0.0, "poison")


def _counted(entry: Entry, known: Known, rungs_ms: tuple[int, ...]) -> Postponed:
    # Classic queues count nothing, so the count goes along in a copy, made before the work that may end this process
    # too. Each time it waits a rung longer: a process that has to be started again is not ended at once again.
    lost = TaskError(code="lost", message="the delivery came back unsettled: its process or connection ended")
    past = PastAttempt(number=entry.attempt, host=known.host, error=lost, ended_at=known.now)
    rung = _rung_after(entry.envelope.redeliveries, rungs_ms)
    return Postponed(rung, entry.envelope.lost(past), "delivered again")


def _rung_after(redeliveries: int, rungs_ms: tuple[int, ...]) -> int:
    return rungs_ms[min(redeliveries, len(rungs_ms) - 1)]


def _not_yet(entry: Entry, now: datetime, rungs_ms: tuple[int, ...]) -> Postponed | None:
    not_before = entry.envelope.not_before
    if not_before is None or not now < not_before <= now + LONGEST_WAIT:
        return None
    rung = choose_rung((not_before - now).total_seconds(), rungs_ms)
    return Postponed(rung, entry.envelope, "not yet time")
