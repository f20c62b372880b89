"""The request queue of a pool: how long it may grow, and how long a freed slot stays empty in it."""

from collections.abc import Sequence
from typing import Final

from agents.core.request_queue import RequestQueue

QUEUE_SIZE: Final = 10_000
"""Waiting requests of a pool's own queue. What really bounds them is each consumer's prefetch; this stops a bug."""

LINGER_SHARE: Final = 0.05
SHORT_LINGER_SECONDS: Final = 0.03
SHORT_LINGER_SHARE: Final = 0.3
LONGEST_LINGER_SECONDS: Final = 0.1


def linger_after(ran: float) -> float:
    """Return how long a slot stays empty after a request that ran `ran` seconds, while others wait for it.

    An agent holds as many tasks as its prefetch; a more urgent one waits behind them in the broker until one of them is
    settled, which takes some 10 ms from the end of its request. Without this moment, the next of those that are held
    would be at the model already.
    """
    # 30 ms is what a settlement takes here; a request shorter than 0.1 s gets less, since it is no long wait either.
    least = min(SHORT_LINGER_SECONDS, ran * SHORT_LINGER_SHARE)
    return min(LONGEST_LINGER_SECONDS, max(least, ran * LINGER_SHARE))


def pool_queue(servers: Sequence[str], slots: int, lanes_in_flight: int) -> RequestQueue:
    """Return the queue in front of model servers with so many slots each. It tries nothing again by itself."""
    return RequestQueue(
        QUEUE_SIZE,
        slots,
        max_retries=0,
        name=f"ollama {', '.join(servers)}",
        lanes_in_flight=lanes_in_flight,
        linger=linger_after,
        servers=servers,
    )
