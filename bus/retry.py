"""(failure, attempt, policy) -> verdict. Pure: somebody else publishes, waits and settles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import random
from typing import Final

from bus.errors import HandlerError, NotNowError, RejectedError, RetryableError

TRANSIENT: Final[tuple[type[Exception], ...]] = (RetryableError, TimeoutError, ConnectionError)
"""Errors after which the same task may well succeed. Anything else a handler raises is taken for a bug: permanent."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as results and dead letters tell it. `retry_after` is in seconds, a server's own wish."""

    code: str
    message: str
    retryable: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late a task is tried again.

    A task runs at most `max_attempts` times. Before attempt n + 1 it waits `base * factor ** (n - 1)` seconds, at
    most `cap`, on the first rung of the ladder that is at least as long; `jitter` is the chance that it takes the
    next longer rung, which parts tasks that failed together.
    """

    max_attempts: int = 3
    base: float = 1.0
    factor: float = 4.0
    cap: float = 900.0
    jitter: float = 0.5
    transient: tuple[type[Exception], ...] = field(default=TRANSIENT)

    def __post_init__(self) -> None:
        for name, minimum in (("max_attempts", 1), ("base", 0), ("factor", 1), ("cap", 0), ("jitter", 0)):
            if getattr(self, name) < minimum:
                raise ValueError(f"RetryPolicy.{name} is {getattr(self, name)}: it must be at least {minimum}")

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after failed attempt number `attempt`, counted from 1."""
        # The exponent is bounded, since a float overflows before the cap could cut it.
        return min(self.cap, self.base * self.factor ** min(attempt - 1, 64))


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `rung_ms` on the ladder."""

    rung_ms: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead-letter it, with a terminal result."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The task itself is invalid: a `rejected` result."""


@dataclass(frozen=True, slots=True)
class HandBack:
    """Return it to its queue; no attempt is used."""


Verdict = Retry | GiveUp | Refuse | HandBack


def failure_of(error: Exception, policy: RetryPolicy) -> Failure:
    """Describe an error that a handler raised."""
    return Failure(
        code=error.code if isinstance(error, HandlerError) else _code_of(error),
        message=_text_of(error) or type(error).__name__,
        retryable=isinstance(error, policy.transient),
        retry_after=error.retry_after if isinstance(error, RetryableError) else None,
    )


def _text_of(error: Exception) -> str:
    # A file name that is not UTF-8 leaves surrogates in an error's text, which no message can carry.
    return str(error).encode(errors="backslashreplace").decode()


def _code_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "connection" if isinstance(error, ConnectionError) else "handler_error"


def decide(
    error: Exception,
    attempt: int,
    policy: RetryPolicy,
    rungs_ms: Sequence[int],
    *,
    max_attempts: int | None = None,
    draw: Callable[[], float] = random,
) -> Verdict:
    """Decide what becomes of a task whose attempt number `attempt` raised `error`.

    `max_attempts` is the task's own limit and wins over the policy's; `draw` returns numbers in [0, 1).
    """
    if isinstance(error, NotNowError):
        return HandBack()
    if isinstance(error, RejectedError):
        return Refuse()
    failure = failure_of(error, policy)
    if not failure.retryable or attempt >= (max_attempts or policy.max_attempts):
        return GiveUp()
    seconds = max(policy.delay(attempt), failure.retry_after or 0.0)
    return Retry(choose_rung(seconds, rungs_ms, longer=draw() < policy.jitter))


def choose_rung(seconds: float, rungs_ms: Sequence[int], *, longer: bool) -> int:
    """Return the first rung of at least `seconds`, or the one after it if `longer`; the last one caps both."""
    first = next((i for i, rung in enumerate(rungs_ms) if rung >= seconds * 1000), len(rungs_ms) - 1)
    return rungs_ms[min(first + longer, len(rungs_ms) - 1)]
