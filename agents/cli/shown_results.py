"""Results as people read them. Pure."""

import json

from schemas import TaskError, TaskResult

WIDTH = 100
"""Characters of an answer in a one-line view."""


def answer_of(result: TaskResult) -> str:
    """Return the text of an answer, or the whole result as indented JSON where it is not just text."""
    value = result.result
    if isinstance(value, dict) and value.keys() == {"response"}:
        value = value["response"]
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def error_of(result: TaskResult) -> str:
    """Return why a task has no answer."""
    error = result.error
    return error.message if isinstance(error, TaskError) else str(error or "no reason given")


def summary_of(result: TaskResult, width: int = WIDTH) -> str:
    """Return an answer or an error on one line, cut to `width`."""
    told = " ".join((error_of(result) if result.error else answer_of(result)).split())
    return told if len(told) <= width else f"{told[: width - 1]}…"
