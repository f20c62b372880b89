"""A dead letter as operators see it, and a choice among many. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bus.envelope import ERROR_HEADERS, read_envelope
from bus.message import Message
from bus.replay import has_ended, letter_id
from schemas import PastAttempt

UNROUTED: Final = "unrouted"
"""The reason of a task for an agent that nobody had declared when it came."""

UNKNOWN_AGENT: Final = "unknown_agent"
"""The error class of an unrouted task, here and in the result that answers it."""

_CODE, _ERROR, _REASON, _FAILED_AT, _HOST = ERROR_HEADERS


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be done, and why.

    `task_id` is that of the result where there is one. `reason` is unreadable, rejected, permanent, exhausted or
    poison; the broker's own word where it dead-lettered the message itself; or unrouted. `code` is the error class,
    `error` the sentence. `failed_at` None means that nobody noted when. `has_result`: its terminal result is out.
    """

    task_id: str
    agent: str
    reason: str
    code: str
    error: str
    failed_at: datetime | None
    host: str | None
    attempt: int
    history: tuple[PastAttempt, ...]
    has_result: bool
    message: Message

    @property
    def priority(self) -> int | None:
        """The priority that its publisher gave."""
        return self.message.priority

    @property
    def size(self) -> int:
        """The length of its body in bytes."""
        return len(self.message.body)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant: those that all of what is given here fits. Nothing given means all.

    `before` leaves out letters of which nobody noted when they failed, `without` those of these reasons.
    """

    ids: frozenset[str] | None = None
    agents: frozenset[str] | None = None
    reason: str | None = None
    code: str | None = None
    before: datetime | None = None
    without: frozenset[str] = frozenset()

    def takes(self, letter: DeadLetter) -> bool:
        """Whether `letter` is meant."""
        return self._fits(letter) and letter.reason not in self.without

    def spares(self, letter: DeadLetter) -> bool:
        """Whether `letter` would be meant, were it not for its reason."""
        return self._fits(letter) and letter.reason in self.without

    def _fits(self, letter: DeadLetter) -> bool:
        return (
            (self.ids is None or letter.task_id in self.ids)
            and (self.agents is None or letter.agent in self.agents)
            and self.reason in (None, letter.reason)
            and self.code in (None, letter.code)
            and (self.before is None or (letter.failed_at is not None and letter.failed_at < self.before))
        )


def dead_letter_of(message: Message, agent: str) -> DeadLetter:
    """Read a message from the dead-letter queue of `agent`, whoever has put it there."""
    death = _broker_death(message.headers)
    reason = _text(message.headers, _REASON) or _text(death, "reason") or "unknown"
    told = _text(message.headers, _ERROR) or f"RabbitMQ itself has dead-lettered it: {reason}"
    failed_at = _moment(message.headers.get(_FAILED_AT)) or _moment(death.get("time"))
    return _letter(message, agent, (reason, _text(message.headers, _CODE) or reason, told), failed_at)


def unrouted_letter_of(message: Message, agent: str) -> DeadLetter:
    """Read a message from the queue of unrouted tasks. Its own time stands for that of its failure, which was then."""
    told = f"no agent {agent!r} was known to this broker when it came"
    return _letter(message, agent, (UNROUTED, UNKNOWN_AGENT, told), _moment(message.timestamp))


def _letter(message: Message, agent: str, why: tuple[str, str, str], failed_at: datetime | None) -> DeadLetter:
    reason, code, error = why
    envelope = read_envelope(message.headers)
    return DeadLetter(
        task_id=letter_id(message),
        agent=agent,
        reason=reason,
        code=code,
        error=error,
        failed_at=failed_at,
        host=_text(message.headers, _HOST),
        attempt=envelope.attempt,
        history=envelope.history,
        has_result=has_ended(message),
        message=message,
    )


def _broker_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    latest = deaths[0] if isinstance(deaths, Sequence) and deaths else None
    return latest if isinstance(latest, Mapping) else {}


def _text(headers: Mapping[str, Any], name: str) -> str | None:
    value = headers.get(name)
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
