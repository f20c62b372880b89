"""When a failed try at the model server is worth another one here and now. Pure: somebody else sleeps."""

from collections.abc import Callable
from random import random
from typing import Final

from agents.core.model.errors import ModelError, ModelOverloaded, ModelServerFault, ModelTimeout

BASE_SECONDS: Final = 0.2
"""A killed runner is back in 0.6 s (measured): the second or third wait of a series meets it."""

CAP_SECONDS: Final = 2.0
"""Longer waits belong to the task's delay ladder, where they hold up nothing."""

_MAX_DOUBLINGS: Final = 8


def retry_delay(error: ModelError, failures: int, max_retries: int, draw: Callable[[], float] = random) -> float | None:
    """Return the seconds to wait before the next try, or None where the error is to be raised.

    `failures` counts from 1. The wait doubles and is drawn between half of it and all of it, so that clients that
    failed together come back apart. A timeout is not tried again here: its try has already used a request's whole
    patience. Neither is a wait longer than the cap that the server itself asks for.
    """
    is_transient = isinstance(error, ModelServerFault | ModelOverloaded) and not isinstance(error, ModelTimeout)
    if not is_transient or failures > max_retries:
        return None
    wished = float(getattr(error, "retry_after", None) or 0)
    if wished > CAP_SECONDS:
        return None
    backoff = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
    return max(wished, backoff * (0.5 + draw() / 2))
