"""How an agent's tasks ended, beside those that were completed or failed. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from schemas import AgentReport, TaskStatus

COUNTED_APART: Final = frozenset((TaskStatus.COMPLETED, TaskStatus.FAILED))
"""What tables have a column for."""


def other_endings(reports: Iterable[AgentReport]) -> str:
    """Return the rest in words, as in `also expired 2, rejected 1`; empty where all were completed or failed."""
    counts: Counter[str] = sum((Counter(report.results) for report in reports), Counter())
    told = ", ".join(f"{status} {count}" for status, count in sorted(counts.items()) if status not in COUNTED_APART)
    return f"also {told}" if told else ""
