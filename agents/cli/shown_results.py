"""Results as people read them. Pure."""

import json
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from agents.cli.shown_letters import plain
from agents.cli.since import moment_text
from schemas import TaskError, TaskResult, TaskStatus

WIDTH: Final = 100
"""Characters of an answer in a one-line view."""

_COLOURS: Final = {
    TaskStatus.COMPLETED: "green",
    TaskStatus.FAILED: "red",
    TaskStatus.REJECTED: "red",
    TaskStatus.EXPIRED: "yellow",
    TaskStatus.CANCELLED: "yellow",
}


def answer_of(result: TaskResult) -> str:
    """Return the text of an answer, or the whole result as indented JSON where it is not just text."""
    value = result.result
    if isinstance(value, dict) and value.keys() == {"response"}:
        value = value["response"]
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def is_told(text: str, result: TaskResult) -> bool:
    """Whether a text says all of a result: it is the answer, or the same JSON in another layout."""
    if text.strip() == answer_of(result).strip():
        return True
    try:
        return bool(json.loads(text) == result.result)
    except (ValueError, RecursionError):
        return False


def error_of(result: TaskResult) -> str:
    """Return why a task has no answer."""
    error = result.error
    return error.message if isinstance(error, TaskError) else str(error or "no reason given")


def summary_of(result: TaskResult, width: int = WIDTH) -> str:
    """Return an answer or an error on one line, cut to `width`."""
    told = " ".join((error_of(result) if result.error else answer_of(result)).split())
    return told if len(told) <= width else f"{told[: width - 1]}…"


def lines_of(result: TaskResult, width: int | None) -> Iterator[Text]:
    """Return a result on one line, or where that is wider than `width` on two: the second has the answer, cut to it.

    `width` is a terminal's; None is no terminal, and keeps it on one line.
    """
    facts = Text(f"{moment_text(result.timestamp)} ")
    facts.append(f"{result.status:<9}", style=_COLOURS[result.status])
    facts.append(f" {result.agent} ").append(plain(result.task_id), style="dim")
    facts.append(f" {result.processing_time:.1f} s")
    told = plain(summary_of(result, WIDTH if width is None else min(WIDTH, width - 2)))
    if width is None or cell_len(facts.plain) + 2 + cell_len(told) <= width:
        yield facts.append(f"  {told}")
    else:
        yield facts
        yield Text(f"  {told}")


def cost_of(result: TaskResult) -> str:
    """Return on one line how a task ended, by which model, and what it took: seconds, tokens, tokens a second."""
    usage = result.usage
    told = [result.status.value, result.model, f"{result.processing_time:.1f} s"]
    if usage is not None and usage.tokens_out:
        told.append(f"{usage.tokens_out} tokens")
    if usage is not None and usage.tokens_per_second:
        told.append(f"{usage.tokens_per_second:.1f} tokens/s")
    return "  ".join(word for word in told if word)
