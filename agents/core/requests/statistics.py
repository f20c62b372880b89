"""What a request queue counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agents.core.requests.record import RequestStatus


@dataclass(slots=True)
class RequestStatistics:
    """Counters since the queue was made, true at every moment: sums run along, nothing is sampled.

    `total` is every request taken in; a request refused because the queue was full is only in `rejected`.
    """

    total: int = 0
    rejected: int = 0
    first_at: float | None = None
    ended: Counter[RequestStatus] = field(default_factory=Counter)
    starts: int = 0
    queue_seconds: float = 0.0
    attempts: int = 0
    run_seconds: float = 0.0

    def submitted(self, now: float) -> None:
        """Count a request taken in."""
        self.total += 1
        if self.first_at is None:
            self.first_at = now

    def started(self, waited: float) -> None:
        """Count the first start of a request that `waited` so many seconds."""
        self.starts += 1
        self.queue_seconds += waited

    def attempted(self, seconds: float) -> None:
        """Count an attempt that has ended, however it ended."""
        self.attempts += 1
        self.run_seconds += seconds

    @property
    def success_rate(self) -> float:
        """Completed over completed, failed and timed out, 0..1; 1 before the first. Cancelled ones are no failure."""
        bad = self.ended[RequestStatus.FAILED] + self.ended[RequestStatus.TIMEOUT]
        judged = self.ended[RequestStatus.COMPLETED] + bad
        return self.ended[RequestStatus.COMPLETED] / judged if judged else 1.0

    @property
    def average_queue_time(self) -> float:
        """Mean seconds from submission to the first start; 0 before the first."""
        return self.queue_seconds / self.starts if self.starts else 0.0

    @property
    def average_processing_time(self) -> float:
        """Mean seconds of an attempt; 0 before the first has ended."""
        return self.run_seconds / self.attempts if self.attempts else 0.0

    def throughput(self, now: float) -> float:
        """Return completed requests a second since the first was submitted; 0 before that."""
        if self.first_at is None or now <= self.first_at:
            return 0.0
        return self.ended[RequestStatus.COMPLETED] / (now - self.first_at)

    def report(self, now: float) -> dict[str, Any]:
        """Return the counts, rates and means under their keys in `RequestQueue.get_stats()`."""
        return {
            "total_requests": self.total,
            "completed_requests": self.ended[RequestStatus.COMPLETED],
            "failed_requests": self.ended[RequestStatus.FAILED],
            "timeout_requests": self.ended[RequestStatus.TIMEOUT],
            "cancelled_requests": self.ended[RequestStatus.CANCELLED],
            "rejected_requests": self.rejected,
            "success_rate": self.success_rate,
            "average_queue_time": self.average_queue_time,
            "average_processing_time": self.average_processing_time,
            "throughput_per_second": self.throughput(now),
        }
