"""PoolStats: what the pool has done, true at every moment."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from agents.core.model.connection import ConnectionShelf
from agents.core.model.store import ModelStore

NOTHING_FAILED: Final = 1.0
"""The success rate before the first request has ended: nothing has failed, and no alarm should ring."""


@dataclass(slots=True)
class PoolStats:
    """Counts requests, not tries: one that succeeds at its second try has succeeded.

    A request that its own caller cancels is neither a success nor a failure.
    """

    clock: Callable[[], float]
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    _answers: int = field(default=0)
    _answer_seconds: float = field(default=0.0)

    @property
    def success_rate(self) -> float:
        """Share of the ended requests that succeeded, 0..1."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else NOTHING_FAILED

    @property
    def average_response_time(self) -> float:
        """Mean seconds that a successful try took within its slot; 0 before the first."""
        return self._answer_seconds / self._answers if self._answers else 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count one request with its outcome."""
        self.total += 1
        try:
            yield
        except Exception:
            self.failed += 1
            raise
        self.succeeded += 1

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Measure one try; one that fails is not counted."""
        started = self.clock()
        yield
        self._answers += 1
        self._answer_seconds += self.clock() - started


def figures(stats: PoolStats, shelves: Sequence[ConnectionShelf], models: Sequence[ModelStore]) -> dict[str, Any]:
    """Return what `stats` counted and the sums over servers, under the keys of docs/names.md."""
    hits, misses = sum(shelf.hits for shelf in shelves), sum(shelf.misses for shelf in shelves)
    return {
        "total_connections": sum(shelf.total for shelf in shelves),
        "active_connections": sum(shelf.active for shelf in shelves),
        "idle_connections": sum(shelf.idle for shelf in shelves),
        "error_connections": sum(shelf.broken for shelf in shelves),
        "total_requests": stats.total,
        "failed_requests": stats.failed,
        "success_rate": stats.success_rate,
        "average_response_time": stats.average_response_time,
        "models_cached": len({name for store in models for name in store.used}),
        "pool_hits": hits,
        "pool_misses": misses,
        "hit_rate": hits / (hits + misses) if hits + misses else 0.0,
        "available_models": sorted({name for store in models for name in store.installed}),
    }
