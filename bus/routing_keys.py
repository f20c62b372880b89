"""Routing keys: how each is made, what is read out of one, and which bindings take it. Pure."""

from typing import Final

from schemas import EventKind, ReportKind, TaskStatus

EVERYBODY: Final = "all"
"""Routing key on the control exchange: what is said to the agents of all hosts."""

RETURNS_OF_ALL: Final = "returned.*"
"""Binding key on the control exchange: what hosts say of deliveries that they hand back; see `returned_key`."""

REPORTS_WANTED: Final = "report.all"
"""Routing key on the control exchange, of two words, which the control log does not keep: all hosts are to report."""

PULSE: Final = "pulse.none"
"""Routing key on the control exchange that no binding takes, for messages that need not arrive; of two words too."""


def result_key(agent: str, status: TaskStatus) -> str:
    """Return the routing key of a terminal result."""
    return f"{agent}.{status.value}"


def event_key(agent: str, kind: EventKind, task_id: str) -> str:
    """Return the routing key of an event."""
    return f"{agent}.{kind.value}.{task_id}"


def report_key(reporter: str, kind: ReportKind) -> str:
    """Return the routing key of a report; dots in a host's name would add words to it."""
    return f"{reporter.replace('.', '-')}.{kind.value}"


def returned_key(agent: str = EVERYBODY) -> str:
    """Return the routing key of a host's word that it hands back a delivery of `agent`, or has before, of any."""
    return f"returned.{agent}"


def agent_of(key: str) -> str:
    """Return the agent that a task's routing key names: `<agent>`, or `<milliseconds>.<agent>` off the ladder."""
    return key.rpartition(".")[2]


def filter_keys(*words: str | None) -> tuple[str, ...]:
    """Return the binding key for a choice of words; None stands for any one word."""
    return (".".join("*" if word is None else word for word in words),)


def matches(pattern: str, key: str) -> bool:
    """Tell whether a topic binding `pattern` takes `key`: `*` is one word, `#` any number of words, also none."""
    return _words_match(pattern.split("."), key.split("."))


def _words_match(pattern: list[str], key: list[str]) -> bool:
    if not pattern:
        return not key
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(_words_match(rest, key[n:]) for n in range(len(key) + 1))
    return bool(key) and head in ("*", key[0]) and _words_match(rest, key[1:])
