"""The report of one storm: as a table, as JSON, and several of them as one Markdown table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from rich.table import Table

from schemas import TaskStatus

SHOWN: Final = 12
"""Problems of one kind that the table lists; the JSON has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one storm. Times are in seconds."""

    seed: int
    tasks: int
    hosts: int
    seconds: float
    statuses: Mapping[str, int]
    lost: Sequence[str]
    marked: Mapping[str, int]
    """Tasks with more than one result, one of which is marked as redelivered, by cause."""
    unmarked: Mapping[str, int]
    """Tasks with more than one result, none of which is marked, by cause."""
    contradictory: int
    """Tasks whose results differ in their status; they are among the duplicates."""
    runs: Mapping[str, int]
    """Tasks by the number of their runs."""
    faults: Mapping[str, int]
    recovery: Mapping[str, Sequence[float]]
    replies: tuple[int, int]
    """Received, and asked for. What comes while the reply queue is deleted is gone."""
    dead_letters: int
    """Not below the failed and rejected tasks; a second result may leave a second letter."""
    problems: Sequence[str] = field(default_factory=tuple)
    """Everything that may not be, in sentences."""

    @property
    def is_good(self) -> bool:
        """Whether the promise was kept."""
        return not self.problems

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1)


def read_report(path: Path) -> Report:
    """Read what `to_json` has written."""
    fields = json.loads(path.read_text())
    return Report(**{**fields, "replies": tuple(fields["replies"])})


def tables(report: Report) -> list[Table]:
    """Return the report for a terminal."""
    return [_summary(report), _recovery(report), *([_problems(report)] if report.problems else [])]


def markdown(reports: Sequence[Report]) -> str:
    """Return several reports as two Markdown tables: one line for each storm, one for each kind of fault."""
    ordered = sorted(reports, key=lambda report: report.seed)
    head = ("seed", "tasks", "faults", *TaskStatus, "lost", "duplicates", "of these unmarked", "most runs", "verdict")
    rows = [_line(report) for report in ordered]
    kinds = sorted({kind for report in ordered for kind in report.faults})
    healing = [_recovery_line(kind, ordered) for kind in kinds]
    return "\n".join(
        [*_rows(head, rows), "", *_rows(("fault", "times", "recovery, median", "recovery, longest"), healing)]
    )


def _line(report: Report) -> Sequence[str]:
    return (
        str(report.seed),
        str(report.tasks),
        str(sum(report.faults.values())),
        *(str(report.statuses.get(status, 0)) for status in TaskStatus),
        str(len(report.lost)),
        str(sum(report.marked.values()) + sum(report.unmarked.values())),
        str(sum(report.unmarked.values())),
        max(report.runs, key=int, default="0"),
        "kept" if report.is_good else "broken",
    )


def _recovery_line(kind: str, reports: Sequence[Report]) -> Sequence[str]:
    times = sum(report.faults.get(kind, 0) for report in reports)
    seconds = [second for report in reports for second in report.recovery.get(kind, ())]
    return (kind, str(times), *_median_and_max(seconds))


def _median_and_max(seconds: Sequence[float]) -> tuple[str, str]:
    return (f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s") if seconds else ("", "")


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _summary(report: Report) -> Table:
    title = f"seed {report.seed}: {report.tasks} tasks, {report.hosts} hosts, {report.seconds:.0f} s"
    table = Table("", "", title=title, show_header=False)
    table.add_row("terminal results", _told(report.statuses))
    table.add_row("lost", str(len(report.lost)))
    table.add_row("duplicates, marked", _told(report.marked))
    table.add_row("duplicates, unmarked", _told(report.unmarked))
    table.add_row("with different statuses", str(report.contradictory))
    table.add_row("tasks by runs", _told(report.runs))
    table.add_row("replies", "{} of {}".format(*report.replies))
    table.add_row("dead letters", str(report.dead_letters))
    table.add_row("verdict", "the promise was kept" if report.is_good else f"{len(report.problems)} problems")
    return table


def _told(counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())} ({parts})" if counts else "0"


def _recovery(report: Report) -> Table:
    table = Table("fault", "times", "recovery, median", "recovery, longest")
    for kind, times in sorted(report.faults.items()):
        table.add_row(kind, str(times), *_median_and_max(report.recovery.get(kind, ())))
    return table


def _problems(report: Report) -> Table:
    table = Table("problems", show_lines=False)
    for problem in report.problems[:SHOWN]:
        table.add_row(problem)
    if len(report.problems) > SHOWN:
        table.add_row(f"and {len(report.problems) - SHOWN} more")
    return table
