"""What a storm did to the tasks: lost, duplicate, unexpected. Pure."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from benchmarks.chaos_storm.run_log import Run
from benchmarks.chaos_storm.workload import ENDINGS, Order
from schemas import TaskResult, TaskStatus

_GIVEN_UP: Final = frozenset({TaskStatus.FAILED, TaskStatus.REJECTED})


class Cause(StrEnum):
    """How a task may have come to a second result."""

    RESULT_REPEATED = "result published again"
    """All its results are the same: its consumer did not hear the confirm of the first publish."""
    TASK_REPEATED = "task published again"
    """Its publisher did not hear the confirm, and both copies ran."""
    RETRY_REPEATED = "retry published again"
    """A consumer did not hear the confirm of a copy for the ladder, and both copies ran."""
    MOVED_TWICE = "moved off the ladder twice"
    """RabbitMQ was killed as it moved a copy from the ladder to its queue, and moved it again."""
    RAN_AGAIN = "ran again"
    """It was delivered again after its first result."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A task with more than one result. `is_marked`: one of them says that the task was redelivered."""

    task_id: str
    statuses: tuple[TaskStatus, ...]
    is_marked: bool
    cause: Cause

    @property
    def is_contradictory(self) -> bool:
        """Whether its results differ in their status."""
        return len(set(self.statuses)) > 1


@dataclass(frozen=True, slots=True)
class Surprise:
    """A task that ended as its course does not allow."""

    task_id: str
    course: str
    status: TaskStatus
    error: str


@dataclass(frozen=True, slots=True)
class Copies:
    """How many messages went into the exchanges: tasks by id, copies for the ladder by id and the number of the copy.

    `returns` counts what came off the ladder, by the id of the task and that of the message.
    """

    tasks: Counter[str] = field(default_factory=Counter)
    retries: Counter[tuple[str, int]] = field(default_factory=Counter)
    returns: Counter[tuple[str, str]] = field(default_factory=Counter)

    def cause(self, results: Sequence[TaskResult]) -> Cause:
        """Return how a task may have come to these results."""
        task_id = results[0].task_id
        # The second publish of one result differs from the first in its mark alone.
        unmarked = [result.model_copy(update={"redelivered": False}) for result in results]
        if all(result == unmarked[0] for result in unmarked):
            return Cause.RESULT_REPEATED
        if self.tasks[task_id] > 1:
            return Cause.TASK_REPEATED
        if _is_repeated(self.retries.items(), task_id):
            return Cause.RETRY_REPEATED
        return Cause.MOVED_TWICE if _is_repeated(self.returns.items(), task_id) else Cause.RAN_AGAIN


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of all tasks together."""

    statuses: Counter[str]
    """Of each task's first result."""
    lost: tuple[str, ...]
    given_up: tuple[str, ...]
    """The tasks that failed or were rejected, which leave a dead letter each."""
    duplicates: tuple[Duplicate, ...]
    surprises: tuple[Surprise, ...]
    runs: Counter[int]
    """Tasks by the number of their runs, among those whose agents write their runs down."""

    def problems(self, dead_letters: Container[str]) -> Iterator[str]:
        """Say in sentences what may not be. `dead_letters` are the ids of the tasks in the dead-letter queues."""
        for task_id in self.given_up:
            if task_id not in dead_letters:
                yield f"task {task_id} failed or was rejected, and is in no dead-letter queue"
        for task_id in self.lost:
            yield f"task {task_id} has no result"
        for one in self.duplicates:
            if not one.is_marked:
                told = ", ".join(one.statuses)
                yield f"task {one.task_id} has {len(one.statuses)} results ({told}), none marked: {one.cause}"
        for surprise in self.surprises:
            yield f"task {surprise.task_id} ({surprise.course}) ended as {surprise.status}: {surprise.error}"

    def wrong(self) -> set[str]:
        """Return the ids of all tasks that are not as simple as they could be."""
        return {*self.lost, *(one.task_id for one in self.duplicates), *(one.task_id for one in self.surprises)}


def _is_repeated(counts: Iterable[tuple[tuple[str, object], int]], task_id: str) -> bool:
    return any(count > 1 for (counted, _), count in counts if counted == task_id)


def judge(orders: Iterable[Order], results: Iterable[TaskResult], copies: Copies, runs: Iterable[Run]) -> Verdict:
    """Judge what became of the orders. Results of other tasks are left out."""
    ordered = {order.id: order for order in orders}
    by_task: defaultdict[str, list[TaskResult]] = defaultdict(list)
    for result in results:
        if result.task_id in ordered:
            by_task[result.task_id].append(result)
    runs_of = Counter(run.task_id for run in runs if run.task_id in ordered)
    return Verdict(
        statuses=Counter(group[0].status.value for group in by_task.values()),
        lost=tuple(task_id for task_id in ordered if task_id not in by_task),
        given_up=tuple(task_id for task_id, group in by_task.items() if group[0].status in _GIVEN_UP),
        duplicates=tuple(_duplicate(group, copies) for group in by_task.values() if len(group) > 1),
        surprises=tuple(_surprises(ordered, by_task)),
        runs=Counter(runs_of.values()),
    )


def _duplicate(results: Sequence[TaskResult], copies: Copies) -> Duplicate:
    return Duplicate(
        task_id=results[0].task_id,
        statuses=tuple(result.status for result in results),
        is_marked=any(result.redelivered for result in results),
        cause=copies.cause(results),
    )


def _surprises(ordered: Mapping[str, Order], by_task: Mapping[str, Sequence[TaskResult]]) -> Iterable[Surprise]:
    for task_id, results in by_task.items():
        course = ordered[task_id].course
        for result in results:
            if result.status not in ENDINGS[course]:
                yield Surprise(task_id, course.value, result.status, str(result.error))
