"""What the storm's tasks are and how each may end. Pure: one seed gives the same orders every time."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas import TaskMessage, TaskStatus


class Course(StrEnum):
    """What becomes of a task by itself, whatever the storm does besides."""

    FINE = "fine"
    RETRIED = "retried"
    EXHAUSTED = "exhausted"
    PERMANENT = "permanent"
    REJECTED = "rejected"
    LATE = "late"
    CANCELLED = "cancelled"
    MODEL = "model"
    MARKDOWN = "markdown"


ENDINGS: Final[Mapping[Course, frozenset[TaskStatus]]] = {
    Course.FINE: frozenset({TaskStatus.COMPLETED}),
    Course.RETRIED: frozenset({TaskStatus.COMPLETED}),
    Course.EXHAUSTED: frozenset({TaskStatus.FAILED}),
    Course.PERMANENT: frozenset({TaskStatus.FAILED}),
    Course.REJECTED: frozenset({TaskStatus.REJECTED}),
    Course.LATE: frozenset({TaskStatus.EXPIRED}),
    # The work may be done before its cancellation arrives.
    Course.CANCELLED: frozenset({TaskStatus.CANCELLED, TaskStatus.COMPLETED}),
    # The model server may fail all attempts of a task.
    Course.MODEL: frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED}),
    Course.MARKDOWN: frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED}),
}
"""The statuses that a task of each course may end with."""

WEIGHTS: Final[Mapping[Course, int]] = {
    Course.FINE: 52,
    Course.RETRIED: 12,
    Course.EXHAUSTED: 4,
    Course.PERMANENT: 4,
    Course.REJECTED: 4,
    Course.LATE: 5,
    Course.CANCELLED: 5,
    Course.MODEL: 10,
    Course.MARKDOWN: 4,
}
"""Of a hundred tasks."""

MODEL_COURSES: Final = frozenset({Course.MODEL, Course.MARKDOWN})

SHARED_AGENTS: Final = ("swift", "steady", "single", "thinker", "scribe")
"""The agents that every host runs; prefetch 10, 4, 1, 2 and 3."""

LATE_TIMEOUT_SECONDS: Final = 1.0
LATE_WORK_SECONDS: Final = 20.0
CANCELLED_WORK_SECONDS: Final = 6.0
REPLY_SHARE: Final = 0.15
"""Of the tasks that ask for a reply besides."""


@dataclass(frozen=True, slots=True)
class Order:
    """One task to be published `at` seconds after the start."""

    id: str
    at: float
    agent: str
    course: Course
    priority: int
    seconds: float
    failures: int
    wants_reply: bool
    cancel_after: float | None

    def task(self) -> TaskMessage:
        """Return the message, created now."""
        return TaskMessage(
            id=self.id,
            agent=self.agent,
            prompt="Say ok.",
            data={"course": self.course.value, "seconds": self.seconds, "failures": self.failures},
            priority=self.priority,
            timeout=LATE_TIMEOUT_SECONDS if self.course is Course.LATE else None,
        )


def draw_orders(seed: int, tasks: int, seconds: float) -> list[Order]:
    """Draw so many orders, spread evenly over `seconds` with jitter, in the order of their times."""
    draw = random.Random(f"orders {seed}")  # noqa: S311 - a storm that can be repeated, no secret
    step = seconds / tasks
    return [_order(draw, f"s{seed}-{number}", (number + draw.random()) * step) for number in range(tasks)]


def _order(draw: random.Random, task_id: str, at: float) -> Order:
    (course,) = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
    return Order(
        id=task_id,
        at=at,
        agent=_agent(draw, course),
        course=course,
        priority=draw.randint(0, 9),
        seconds=_seconds(draw, course),
        failures=draw.randint(1, 2) if course is Course.RETRIED else 0,
        wants_reply=draw.random() < REPLY_SHARE,
        cancel_after=draw.uniform(0.0, 3.0) if course is Course.CANCELLED else None,
    )


def _agent(draw: random.Random, course: Course) -> str:
    match course:
        case Course.MODEL:
            return "thinker"
        case Course.MARKDOWN:
            return "scribe"
        case Course.LATE | Course.CANCELLED:
            return draw.choice(("swift", "steady"))  # long ones, which a single slot would be blocked by
        case _:
            return draw.choice(("swift", "steady", "single"))


def _seconds(draw: random.Random, course: Course) -> float:
    match course:
        case Course.LATE:
            return LATE_WORK_SECONDS
        case Course.CANCELLED:
            return CANCELLED_WORK_SECONDS
        case _:
            return round(draw.uniform(0.0, 0.3), 3)
