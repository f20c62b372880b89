"""Terminal results of the past, as the log of results keeps them."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from bus import codec
from bus.errors import DecodeError
from bus.message import Message
from bus.remembering import remember
from schemas import TaskResult

log = structlog.get_logger(__name__)

CLOCK_SKEW: Final = timedelta(minutes=1)
"""A log goes by the broker's clock and a result by its host's. Reading begins this much earlier, to miss none."""

SEEN_REMEMBERED: Final = 10_000
"""Results whose ids are remembered, to drop the duplicate that a crash may have made."""


class SeenTasks:
    """The ids of the last `SEEN_REMEMBERED` tasks whose result has come."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def remember(self, result: TaskResult) -> bool:
        """Remember the task of a result; False where it is there already."""
        if result.task_id in self._ids:
            return False
        remember(self._ids, result.task_id, None, SEEN_REMEMBERED)
        return True


def moment_of(since: datetime | timedelta | float, now: datetime) -> datetime:
    """Return the moment that a caller means: a time itself, or a timedelta or seconds before `now`.

    Raises:
        ValueError: the time has no UTC offset, or the span is negative or no number.
    """
    if isinstance(since, datetime):
        if since.utcoffset() is None:
            raise ValueError(f"since = {since!r} has no time zone: give it one, as in datetime.now(UTC)")
        return since
    seconds = since.total_seconds() if isinstance(since, timedelta) else since
    if not seconds >= 0:  # nor is a NaN
        raise ValueError(f"since = {since!r} is no time ago: give a span that is not negative, in seconds")
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def read_from(since: datetime) -> datetime:
    """Return where to begin in the log, so that no result stamped at `since` or later is missed."""
    try:
        return since - CLOCK_SKEW
    except OverflowError:
        return since


def result_of(message: Message) -> TaskResult | None:
    """Read one message of the log; None where it is no result, which is logged."""
    try:
        return codec.decode_result(message)
    except DecodeError as error:
        log.warning("result_log.unreadable", reason=str(error))
        return None
