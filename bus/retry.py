"""(failure, attempt, policy) -> verdict. Pure: somebody else publishes, waits and settles."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import random
from typing import Any, Final

from bus.errors import HandlerError, NotNowError, RejectedError, RetryableError
from schemas import RetryRules

TRANSIENT: Final[tuple[type[Exception], ...]] = (RetryableError, TimeoutError, ConnectionError)
"""Errors after which the same task may well succeed. Anything else a handler raises is taken for a bug: permanent."""

LONGEST_WAIT_SECONDS: Final = 86_400.0
"""A server's own wish (`Retry-After`) is cut to a day: more is a mistake, and the task would be forgotten."""


NOT_LOGGED: Final = "it quotes the task or the answer: see the result"
"""In the place of a text that is not for the log."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as results and dead letters tell it. `retry_after` is in seconds, a server's own wish."""

    code: str
    message: str
    retryable: bool
    retry_after: float | None = None
    quotes: bool = False
    """Whether the message may quote what the task brought or a model answered."""

    @property
    def logged(self) -> str:
        """The message as the log tells it."""
        return NOT_LOGGED if self.quotes else self.message


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late a task is tried again.

    A task runs at most `max_attempts` times. Before attempt n + 1 it waits `base * factor ** (n - 1)` seconds, at
    most `cap`, or as long as the error's `retry_after` if that is more. It waits on the first rung of the ladder that
    is at least as long; `jitter` is the chance that it takes the next longer rung, which parts tasks that failed
    together. A wait longer than the last rung is made of several.

    `codes`, where given, names the codes of errors that are tried again and takes the place of `transient`.
    A task whose deliveries came back unsettled more than `max_redeliveries` times is given up: it may be what
    ends the processes.
    """

    max_attempts: int = 3
    base: float = 1.0
    factor: float = 4.0
    cap: float = 900.0
    jitter: float = 0.5
    transient: tuple[type[Exception], ...] = field(default=TRANSIENT)
    codes: frozenset[str] | None = None
    max_redeliveries: int = 5

    def __post_init__(self) -> None:
        for name, minimum in _MINIMA:
            if not getattr(self, name) >= minimum:
                raise ValueError(f"RetryPolicy.{name} is {getattr(self, name)}: it must be at least {minimum}")

    def with_rules(self, rules: RetryRules | None, max_attempts: int | None = None) -> "RetryPolicy":
        """Return this policy with what a task or an agent wants differently."""
        rules = rules or RetryRules()
        wanted: dict[str, Any] = {
            "max_attempts": max_attempts,
            "base": rules.base,
            "factor": rules.factor,
            "cap": rules.cap,
            "jitter": rules.jitter,
            "codes": None if rules.on is None else frozenset(rules.on),
        }
        return replace(self, **{name: value for name, value in wanted.items() if value is not None})

    def retries(self, error: Exception, code: str) -> bool:
        """Whether the same task may succeed after this error."""
        return isinstance(error, self.transient) if self.codes is None else code in self.codes

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after failed attempt number `attempt`, counted from 1."""
        try:
            grown = float(self.factor) ** (attempt - 1)
        except OverflowError:
            grown = sys.float_info.max
        return min(self.cap, self.base * grown)


_MINIMA: Final = (
    ("max_attempts", 1),
    ("base", 0),
    ("factor", 1),
    ("cap", 0),
    ("jitter", 0),
    ("max_redeliveries", 0),
)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after at least `seconds`; `rung_ms` is the first rung to wait on."""

    rung_ms: int
    seconds: float


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
    code = error.code if isinstance(error, HandlerError) else _code_of(error)
    return Failure(
        code=code,
        message=_text_of(error),
        retryable=policy.retries(error, code),
        retry_after=error.retry_after if isinstance(error, RetryableError) else None,
        quotes=_quotes(error),
    )


def logged_text(error: BaseException) -> str:
    """Return an error's text as the log tells it."""
    return NOT_LOGGED if _quotes(error) else written_text(error)


def written_text(error: BaseException) -> str:
    """Return an error's own text, or a word on the error whose code raises in place of telling one."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever an agent's own error does when asked, a task has failed, and no more
        return f"str() of this {type(error).__name__} failed"


def _quotes(error: BaseException) -> bool:
    return isinstance(error, HandlerError) and error.quotes


def _text_of(error: Exception) -> str:
    # A file name that is not UTF-8 leaves surrogates in an error's text, which no message can carry.
    text = written_text(error).encode(errors="backslashreplace").decode()
    if not text:
        return type(error).__name__
    # What nobody raised on purpose often says little: KeyError('missing') reads as 'missing'.
    return text if is_on_purpose(error) else f"{type(error).__name__}: {text}"


def is_on_purpose(error: BaseException) -> bool:
    """Whether a handler's error is one with a meaning here, and no bug."""
    return isinstance(error, HandlerError | TimeoutError | ConnectionError)


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
    draw: Callable[[], float] = random,
) -> Verdict:
    """Decide what becomes of a task whose attempt number `attempt` raised `error`. `draw` returns numbers in [0, 1)."""
    if isinstance(error, NotNowError):
        return HandBack()
    if isinstance(error, RejectedError):
        return Refuse()
    failure = failure_of(error, policy)
    if not failure.retryable or attempt >= policy.max_attempts:
        return GiveUp()
    seconds = max(policy.delay(attempt), min(failure.retry_after or 0.0, LONGEST_WAIT_SECONDS))
    return Retry(choose_rung(seconds, rungs_ms, longer=draw() < policy.jitter), seconds)


def choose_rung(seconds: float, rungs_ms: Sequence[int], *, longer: bool = False) -> int:
    """Return the first rung of at least `seconds`, or the one after it if `longer`; the last one caps both."""
    first = next((i for i, rung in enumerate(rungs_ms) if rung >= seconds * 1000), len(rungs_ms) - 1)
    return rungs_ms[min(first + longer, len(rungs_ms) - 1)]
