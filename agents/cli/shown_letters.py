"""Dead letters as people and programs read them. Pure."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from agents.cli.since import moment_text
from bus.envelope import ATTEMPT_HEADER, ERROR_HEADERS, HISTORY_HEADER, TASK_ID_HEADER
from bus.letter import DeadLetter

WIDTH: Final = 80
"""Characters of an error in a one-line view."""

_WORDS: Final = ("agent", "reason", "error")
_GAPS: Final = 5
"""Blanks between the six columns of the table."""
_TIME, _DATE = len("2026-01-31 18:00:00Z"), len("2026-01-31")
_NO_TIME: Final = f"{'-':<{_DATE}} {'-':<{_TIME - _DATE - 1}}"
"""Where nobody noted when: as many words and columns as a time."""

SHOWN_BYTES: Final = 2_000
"""Of a body that is no JSON."""

_TOLD: Final = frozenset((*ERROR_HEADERS, ATTEMPT_HEADER, HISTORY_HEADER, TASK_ID_HEADER))
"""Headers that are shown by name already."""

_PROPERTIES: Final = (
    "priority",
    "correlation_id",
    "reply_to",
    "message_id",
    "type",
    "content_type",
    "content_encoding",
    "app_id",
    "timestamp",
)


@dataclass(slots=True)
class _Group:
    count: int = 0
    moments: list[datetime] = field(default_factory=list)

    def add(self, moment: datetime | None) -> None:
        self.count += 1
        if moment is not None:
            self.moments = [min(moment, *self.moments), max(moment, *self.moments)] if self.moments else [moment] * 2


class Groups:
    """Counts letters by agent, reason and error class."""

    def __init__(self) -> None:
        self._groups: defaultdict[tuple[str, str, str], _Group] = defaultdict(_Group)

    @property
    def count(self) -> int:
        """How many letters there are in all."""
        return sum(group.count for group in self._groups.values())

    def add(self, letter: DeadLetter) -> None:
        """Count one."""
        self._groups[letter.agent, letter.reason, letter.code].add(letter.failed_at)

    def table(self, width: int) -> Table:
        """Return the counts with the times of the oldest and the newest letter, for so many columns.

        Where they are few, each time takes two lines, and then the agents' names are folded: all other words are whole.
        """
        agents, reasons, errors = (self._longest(place) for place in range(len(_WORDS)))
        around = reasons + errors + len("count") + _GAPS
        time = _TIME if agents + around + 2 * _TIME <= width else _DATE
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        for title, longest in zip(_WORDS, (min(agents, width - around - 2 * time), reasons, errors), strict=True):
            table.add_column(title, width=max(longest, len(title)), overflow="fold")
        table.add_column("count", justify="right", width=len("count"))
        for title in ("oldest", "newest"):
            table.add_column(title, width=time)
        for words, group in sorted(self._groups.items()):
            times = [moment_text(moment) for moment in group.moments] or ["", ""]
            table.add_row(*(Text(plain(word)) for word in words), str(group.count), *times)
        return table

    def _longest(self, place: int) -> int:
        return max(len(plain(words[place])) for words in (_WORDS, *self._groups))


def row_of(letter: DeadLetter) -> str:
    """Return a letter on one line, with the error's first words."""
    error = " ".join(letter.error.split())
    short = error if len(error) <= WIDTH else f"{error[: WIDTH - 1]}…"
    when = _NO_TIME if letter.failed_at is None else moment_text(letter.failed_at)
    why = f"{letter.reason}/{letter.code}" if letter.code != letter.reason else letter.reason
    return plain(f"{when}  {letter.task_id}  {letter.agent}  {why}  attempt {letter.attempt}  {short}")


def json_of(letter: DeadLetter) -> str:
    """Return a letter as one line of JSON: all but its body, of which the size is told."""
    moment = letter.failed_at
    told = {
        "task_id": letter.task_id,
        "agent": letter.agent,
        "reason": letter.reason,
        "code": letter.code,
        "error": letter.error,
        "attempt": letter.attempt,
        "history": [past.model_dump(mode="json") for past in letter.history],
        "failed_at": None if moment is None else moment.isoformat(),
        "host": letter.host,
        "has_result": letter.has_result,
        "size": letter.size,
        "properties": dict(_properties(letter)),
        "headers": {name: _sayable(value) for name, value in _headers(letter).items()},
    }
    return json.dumps(told)


def details_of(letter: DeadLetter) -> Iterator[str]:
    """Iterate over the lines that tell all of a letter."""
    yield from (f"{name:<10} {plain(value)}" for name, value in _facts(letter) if value)
    for past in letter.history:
        ended, error = moment_text(past.ended_at), past.error
        yield plain(f"  attempt {past.number} on {past.host}, ended {ended}: {error.code}: {error.message}")
    yield from _block("properties", dict(_properties(letter)))
    yield from _block("headers", _headers(letter))
    yield f"body, {letter.size:,} bytes"
    yield from _body_lines(letter.message.body)


def plain(text: str) -> str:
    """Return a text without what a terminal would obey, or could not write."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _facts(letter: DeadLetter) -> Iterator[tuple[str, str]]:
    yield "task", letter.task_id
    yield "agent", letter.agent
    yield "reason", letter.reason
    yield "error", f"{letter.code}: {letter.error}"
    yield "failed at", "" if letter.failed_at is None else moment_text(letter.failed_at)
    yield "on host", letter.host or ""
    yield "attempt", str(letter.attempt)
    yield "result", "published" if letter.has_result else "none yet: a replay is the same task, a purge answers it"


def _properties(letter: DeadLetter) -> Iterator[tuple[str, Any]]:
    for name in _PROPERTIES:
        value = getattr(letter.message, name)
        if value is not None:
            yield name, value.isoformat() if isinstance(value, datetime) else value


def _headers(letter: DeadLetter) -> Mapping[str, Any]:
    return {name: value for name, value in letter.message.headers.items() if name not in _TOLD}


def _block(title: str, values: Mapping[str, Any]) -> Iterator[str]:
    if values:
        yield title
        yield from (f"  {plain(name)} = {json.dumps(_sayable(value))}" for name, value in values.items())


def _sayable(value: Any) -> Any:
    """Return an AMQP header's value as JSON can say it."""
    if isinstance(value, Mapping):
        return {name: _sayable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_sayable(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="backslashreplace")
    is_json = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_json else str(value)


def _body_lines(body: bytes) -> Iterator[str]:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        yield from _escaped(body)
    else:
        yield from map(plain, text.split("\n"))


def _escaped(body: bytes) -> Iterator[str]:
    yield from (plain(line) for line in body[:SHOWN_BYTES].decode(errors="backslashreplace").split("\n"))
    if len(body) > SHOWN_BYTES:
        yield f"… the first {SHOWN_BYTES:,} bytes; --raw writes all"
