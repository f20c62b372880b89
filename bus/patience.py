"""How long a delivery may be held: the broker tears away what waits too long for its acknowledgement. Pure."""

from dataclasses import dataclass
from typing import Final

MARGIN_SECONDS: Final = 120.0
"""Between our own limit and the broker's: it looks once a minute, and the settlement needs time as well."""

MARGIN_SHARE: Final = 0.2
"""Of a short acknowledgement timeout, the margin is this share instead."""

BROKER_DEFAULT_SECONDS: Final = 1_800.0
"""RabbitMQ's own `consumer_timeout`, from 3.8.17 to 4.3. AMQP does not tell it, so it is assumed unless it is set."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of a delivery, in seconds: `acknowledgement` is the broker's, `attempt` the agent's own for its work.

    Raises:
        ValueError: `attempt` does not fit.
    """

    acknowledgement: float = BROKER_DEFAULT_SECONDS
    attempt: float | None = None

    def __post_init__(self) -> None:
        if self.acknowledgement <= 0:
            raise ValueError(f"an acknowledgement timeout of {self.acknowledgement:g} s: it must be above 0")
        if self.attempt is not None and not 0 < self.attempt <= self.longest:
            raise ValueError(
                f"a task timeout of {self.attempt:g} s does not fit into the broker's acknowledgement timeout of "
                f"{self.acknowledgement:g} s, which leaves {self.longest:g} s for the work: lower the one, or raise "
                "the other, consumer_timeout in rabbitmq.conf and here"
            )

    @property
    def longest(self) -> float:
        """How long a delivery may be held at most."""
        return self.acknowledgement - min(MARGIN_SECONDS, self.acknowledgement * MARGIN_SHARE)

    def for_work(self, delivered_at: float, started: float) -> float:
        """Return the seconds that an attempt may take which started at `started`."""
        left = self.left(delivered_at, started)
        return left if self.attempt is None else min(left, self.attempt)

    def left(self, delivered_at: float, now: float) -> float:
        """Return the seconds for which a delivery may still be held."""
        return max(0.0, delivered_at + self.longest - now)

    @property
    def for_slot(self) -> float:
        """How long a delivery may wait for a handler slot; the rest is for the work."""
        return self.longest / 2 if self.attempt is None else max(self.longest - self.attempt, self.longest / 10)
