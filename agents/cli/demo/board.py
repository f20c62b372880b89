"""What the demo knows of its tasks: one row each, from events and results. Pure."""

from dataclasses import dataclass, replace

from schemas import EventKind, TaskEvent, TaskResult, TaskStatus, Usage


@dataclass(frozen=True, slots=True)
class Row:
    """One task. Times in seconds; `wait` is in the queue and for a model slot, `seconds` in the handler."""

    task_id: str
    agent: str
    priority: int
    state: str = "waiting"
    wait: float | None = None
    model: str = ""
    tokens: int = 0
    seconds: float | None = None
    answer: str = ""
    status: TaskStatus | None = None
    place: int = 0
    """Its place among the results, from 1."""


class Board:
    """The rows of all tasks."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._ended = 0

    def add(self, task_id: str, agent: str, priority: int) -> None:
        """Add a row for a task."""
        self._rows[task_id] = Row(task_id, agent, priority)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows: those with a result first, in the order of their results."""
        return tuple(sorted(self._rows.values(), key=lambda row: row.place or len(self._rows) + 1))

    @property
    def is_complete(self) -> bool:
        """Whether every task has its result."""
        return all(row.status is not None for row in self._rows.values())

    def note_event(self, event: TaskEvent) -> None:
        """Take an event; one that comes after the result changes nothing."""
        row = self._rows.get(event.task_id)
        if row is not None and row.status is None:
            states = {EventKind.ACCEPTED: "held", EventKind.STARTED: "running", EventKind.RETRYING: "retrying"}
            self._rows[event.task_id] = replace(row, state=states.get(event.kind, row.state))

    def note_result(self, result: TaskResult, answer: str) -> None:
        """Take a terminal result; `answer` is it on one line."""
        row = self._rows.get(result.task_id)
        if row is None or row.status is not None:
            return
        self._ended += 1
        usage = result.usage or Usage()
        self._rows[result.task_id] = replace(
            row,
            state=result.status.value,
            status=result.status,
            wait=usage.queue_wait + usage.slot_wait,
            model=result.model or "",
            tokens=usage.tokens_out,
            seconds=result.processing_time - usage.slot_wait if usage.model_calls else None,
            answer=answer,
            place=self._ended,
        )
