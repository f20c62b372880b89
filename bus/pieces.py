"""Events of one task, as they arrive -> what a reader of its answer is told: text in order, gaps, restarts. Pure.

Events are transient: some may be lost, some come twice after a cut, and a quorum queue hands those of a cut out late.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from schemas import EventKind, TaskError, TaskEvent, TaskResult

HOLD: Final = timedelta(seconds=1)
"""How long later pieces wait for a missing one, by the host's clock. A reader would rather go on than wait longer."""

HELD_MOST: Final = 100
"""Pieces that wait at most, as many as a listener prefetches: none can come later than that."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An agent works on the task."""

    attempt: int
    host: str


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the answer's text."""

    text: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Here so many pieces are missing; the terminal result holds them."""

    count: int


@dataclass(frozen=True, slots=True)
class Restart:
    """All text so far is void: its attempt is over, and `attempt` begins anew in `delay` seconds.

    `error` is why it failed; None where it did not fail: its host was lost, or handed the task back.
    """

    attempt: int
    error: TaskError | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Advance:
    """How far the agent says that it has come: `fraction` from 0 to 1, a message, or both."""

    fraction: float | None
    message: str | None


Step = Begun | Piece | Gap | Restart | Advance
"""What is told of a task before its terminal result."""


class Pieces:
    """Puts the events of one task in order. Feed it each event, and end it with the terminal result."""

    def __init__(self) -> None:
        self._attempt = 0
        self._run: tuple[int, str] | None = None
        """Attempt and host of the run whose text counts; a cut-off host may go on writing beside it."""
        self._since: datetime | None = None
        """When that run began, by its host's clock; None where the event that told it was lost."""
        self._over: set[tuple[int, str]] = set()
        self._starts: set[tuple[int, str, datetime]] = set()
        self._text = ""
        self._expected = 0
        self._held: dict[int, str] = {}
        self._held_since: datetime | None = None

    def feed(self, event: TaskEvent) -> list[Step]:
        """Return what one more event tells; nothing for one that is late, came twice or cannot be read."""
        if event.attempt < self._attempt:
            return []
        match event.kind:
            case EventKind.STARTED:
                return self._started(event)
            case EventKind.CHUNK:
                return self._chunk(event)
            case EventKind.PROGRESS:
                return _advance(event.data)
            case EventKind.RETRYING:
                return [self._retrying(event)]
        return []

    def end(self, result: TaskResult) -> list[Step]:
        """Return what is left to tell: what waits for missing pieces, and the end that the result has overtaken.

        Events do not wait for a confirm as results do. Where the result is the text itself, it tells the rest.
        """
        steps = self._void(result.attempt) if result.attempt > self._attempt else []
        while self._held:
            steps += self._past_the_gap()
        answer = _answer(result)
        if answer != self._text and answer.startswith(self._text):
            steps.append(Piece(answer[len(self._text) :], result.attempt))
        return steps

    def _started(self, event: TaskEvent) -> list[Step]:
        start = (event.attempt, event.host, event.timestamp)
        if start in self._starts or self._is_before(event, (event.attempt, event.host)):
            return []
        self._starts.add(start)
        steps = self._begin(event.attempt, event.host)
        self._since = event.timestamp
        return steps

    def _begin(self, attempt: int, host: str) -> list[Step]:
        void = self._void(attempt)
        self._run = (attempt, host)
        self._over.discard(self._run)
        return [*void, Begun(attempt, host)]

    def _void(self, attempt: int) -> list[Step]:
        """End the run, for one of `attempt` whose start says nothing of why."""
        void: list[Step] = [Restart(attempt)] if self._text else []
        self._end_run(attempt)
        return void

    def _end_run(self, attempt: int) -> None:
        if self._run is not None:
            self._over.add(self._run)
        self._run, self._since, self._attempt = None, None, attempt
        self._text, self._expected = "", 0
        self._held, self._held_since = {}, None

    def _retrying(self, event: TaskEvent) -> Restart:
        data = event.data
        attempt = max(_whole(data.get("next_attempt")) or 0, event.attempt + 1)
        self._end_run(attempt)
        delay = data.get("delay")
        return Restart(attempt, _error(data.get("error")), float(delay) if isinstance(delay, int | float) else 0.0)

    def _chunk(self, event: TaskEvent) -> list[Step]:
        text, sequence, run = event.data.get("text"), _whole(event.data.get("sequence")), (event.attempt, event.host)
        if not isinstance(text, str) or sequence is None or run in self._over or self._is_before(event, run):
            return []
        # The event that told of this run's start was lost.
        begun = [] if run == self._run else self._begin(*run)
        return [*begun, *self._in_order(sequence, text, event.timestamp)]

    def _is_before(self, event: TaskEvent, run: tuple[int, str]) -> bool:
        """Whether an event is of an earlier run with the same number, on the same host."""
        return run == self._run and self._since is not None and event.timestamp < self._since

    def _in_order(self, sequence: int, text: str, moment: datetime) -> list[Step]:
        if sequence < self._expected:
            return []
        self._held[sequence] = text
        steps: list[Step] = [*self._ready()]
        if self._has_waited(moment):
            steps += self._past_the_gap()
            self._held_since = moment if self._held else None
        return steps

    def _has_waited(self, moment: datetime) -> bool:
        """Whether a missing piece was waited for long enough."""
        self._held_since = (self._held_since or moment) if self._held else None
        return self._held_since is not None and (moment - self._held_since > HOLD or len(self._held) >= HELD_MOST)

    def _past_the_gap(self) -> list[Step]:
        first = min(self._held)
        gap = Gap(first - self._expected)
        self._expected = first
        return [gap, *self._ready()]

    def _ready(self) -> Iterator[Piece]:
        while self._expected in self._held:
            text = self._held.pop(self._expected)
            self._text += text
            self._expected += 1
            yield Piece(text, self._attempt)


def _advance(data: Mapping[str, Any]) -> list[Step]:
    fraction, message = data.get("fraction"), data.get("message")
    is_number = isinstance(fraction, int | float) and 0 <= fraction <= 1
    advance = Advance(fraction if is_number else None, message if isinstance(message, str) else None)
    return [] if advance == Advance(None, None) else [advance]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _answer(result: TaskResult) -> str:
    """Return the text that a result is; empty where it is something else, or there is none."""
    value = result.result
    if isinstance(value, dict) and value.keys() == {"response"}:
        value = value["response"]
    return value if isinstance(value, str) else ""


def _error(value: Any) -> TaskError | None:
    try:
        return None if value is None else TaskError.model_validate(value)
    except ValidationError:
        return None
