"""What an agent has done so far: true at every moment, from running sums."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bus.errors import NotNowError


@dataclass(slots=True)
class AgentStatistics:
    """Counts of one agent. A task counts as processed once its handler has ended, well or badly."""

    started_at: float = field(default_factory=time.monotonic)
    processed: int = 0
    failed: int = 0
    active: int = 0
    seconds: float = 0.0

    @property
    def uptime(self) -> float:
        """Seconds since the agent was made."""
        return time.monotonic() - self.started_at

    @property
    def average_seconds(self) -> float:
        """Mean time in the handler; 0 before the first task."""
        return self.seconds / self.processed if self.processed else 0.0

    @contextmanager
    def one_run(self) -> Iterator["Run"]:
        """Count one run of the handler. A run that was cancelled, or put off as "not now", counts as nothing."""
        run = Run()
        self.active += 1
        try:
            yield run
        except NotNowError:
            raise
        except Exception:
            self._count(run, failed=True)
            raise
        else:
            self._count(run, failed=run.failed)
        finally:
            self.active -= 1

    def _count(self, run: "Run", *, failed: bool) -> None:
        self.processed += 1
        self.failed += failed
        self.seconds += time.monotonic() - run.began


@dataclass(slots=True)
class Run:
    """One run of the handler. Set `failed` where it ends without an error and yet badly."""

    began: float = field(default_factory=time.monotonic)
    failed: bool = False
