"""What the results say: tasks, their times, their tokens."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from agents.exporter.labels import Labels
from schemas import TaskResult, TaskStatus, Usage

SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""From an agent that only computes to the longest that RabbitMQ waits for an acknowledgement by default."""

# Each counter and histogram would have a second series, with the moment of its making.
disable_created_metrics()  # type: ignore[no-untyped-call] # the library leaves it untyped


class TaskMetrics:
    """Counts terminal results. Whoever calls sees to it that each task comes once."""

    def __init__(self, registry: CollectorRegistry, labels: Labels) -> None:
        self._labels = labels
        self._tasks = Counter("sutazai_tasks_total", "Tasks that have ended.", ("agent", "status"), registry=registry)
        self._retries = Counter(
            "sutazai_task_retries_total",
            "Attempts after the first of tasks that have ended.",
            ("agent",),
            registry=registry,
        )
        self._tokens = Counter(
            "sutazai_tokens_total",
            "Tokens read (in) and written (out) by models.",
            ("model", "direction"),
            registry=registry,
        )

        def seconds(name: str, told: str, label: str) -> Histogram:
            return Histogram(name, told, (label,), buckets=SECONDS, registry=registry)

        self._processing = seconds(
            "sutazai_task_processing_seconds", "The last attempt, its wait for a model slot included.", "agent"
        )
        self._queue_wait = seconds(
            "sutazai_task_queue_wait_seconds", "From a task's making to the delivery of its last attempt.", "agent"
        )
        self._slot_wait = seconds("sutazai_slot_wait_seconds", "Wait for a model slot, over a task's calls.", "model")
        self._load = seconds("sutazai_model_load_seconds", "Loading of models, over a task's calls.", "model")

    def expect(self, agent: str) -> None:
        """Begin an agent's counters at 0: Prometheus sees no increase in a counter that begins at 1."""
        label = self._labels.agents.fold(agent)
        for status in TaskStatus:
            self._tasks.labels(label, status.value)
        self._retries.labels(label)

    def count(self, result: TaskResult) -> None:
        """Count a result."""
        agent = self._labels.agents.fold(result.agent)
        self._tasks.labels(agent, result.status.value).inc()
        self._retries.labels(agent).inc(result.attempt - 1)
        if result.status is TaskStatus.COMPLETED or result.processing_time:  # else nobody has begun with it
            self._processing.labels(agent).observe(result.processing_time)
        if result.usage is not None:
            self._queue_wait.labels(agent).observe(result.usage.queue_wait)
            self._count_model(self._labels.models.fold(result.model), result.usage)

    def _count_model(self, model: str, usage: Usage) -> None:
        if not usage.model_calls:
            return
        self._tokens.labels(model, "in").inc(usage.tokens_in)
        self._tokens.labels(model, "out").inc(usage.tokens_out)
        self._slot_wait.labels(model).observe(usage.slot_wait)
        self._load.labels(model).observe(usage.load_time)
