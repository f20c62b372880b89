"""PoolLimits: the numbers of a pool, checked."""

from dataclasses import dataclass

from agents.core.arguments import positive_or_none, whole_at_least
from agents.core.model.timeouts import ModelTimeouts


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The numbers that `OllamaConnectionPool` takes, and explains, in its order.

    Raises:
        ValueError: one is out of range.
    """

    max_connections: int
    min_connections: int
    connection_timeout: float
    request_timeout: float
    max_retries: int
    cleanup_interval: float
    model_cache_size: int

    def __post_init__(self) -> None:
        for field in ("connection_timeout", "request_timeout", "cleanup_interval"):
            positive_or_none(field, getattr(self, field))
        for field, least in (
            ("max_retries", 0),
            ("model_cache_size", 0),
            ("max_connections", 1),
            ("min_connections", 0),
        ):
            whole_at_least(field, getattr(self, field), least)
        if self.min_connections > self.max_connections:
            raise ValueError(
                f"min_connections is {self.min_connections}: use at most max_connections ({self.max_connections})"
            )

    @property
    def timeouts(self) -> ModelTimeouts:
        """The patiences that follow from the two timeouts."""
        return ModelTimeouts(connect=self.connection_timeout, load=self.request_timeout, total=self.request_timeout)
