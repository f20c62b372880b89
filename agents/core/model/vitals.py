"""Vitals: when a model server was last seen to answer, and to be unable to."""

from dataclasses import dataclass
from math import inf


@dataclass(slots=True)
class Vitals:
    """Monotonic seconds. A failure is one of a probe, which is no task's fault."""

    answered_at: float = -inf
    failed_at: float = -inf

    def failed_since(self, moment: float) -> bool:
        """Whether a probe has failed after `moment`, and nothing has been answered since."""
        return self.failed_at > moment and self.failed_at > self.answered_at
