"""The seam to tracing: what makes spans and carries their context, and which maker is in use.

Without OpenTelemetry no span is made, and a publisher's trace context is handed on as it came. With it `bus.otel`
stands here. What spans there are and what they say is in `bus.spans` and `agents.core.model.spans`.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, Protocol

from bus.message import Message

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
"""The headers of W3C Trace Context, https://www.w3.org/TR/trace-context/."""

_FORM: Final = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[ -~]{0,200})?"
)
"""Version 00 has 55 characters; later versions may go on, and version ff is none."""

LONGEST_STATE: Final = 512
"""Characters of a tracestate that the standard has everybody hand on; a longer one is dropped."""

Attributes = Mapping[str, Any]
"""Texts, numbers, booleans and lists of texts; what is None, or anything else, is left out."""

Tell = Callable[[], Attributes]
"""Makes the attributes of a span; not called where there is none."""

Origin = Mapping[str, str]
"""Valid trace context headers: where the work that follows comes from."""


class Kind(StrEnum):
    """Which side of a conversation a span is, in OpenTelemetry's words."""

    INTERNAL = "INTERNAL"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    CLIENT = "CLIENT"


class Span(Protocol):
    """A piece of work with a beginning and an end. Nothing here raises."""

    @property
    def is_recording(self) -> bool:
        """Whether what it is told is kept."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, kind: str, message: str) -> None:
        """Say that it failed; `kind` is a stable word."""

    def end(self) -> None:
        """End it; only for one that `begin` made."""


class Tracing(Protocol):
    """Makes spans within the context at hand, and tells that context."""

    tells_content: bool
    """Whether spans may tell prompts and answers."""

    def span(self, name: str, kind: Kind, tell: Tell, *, origin: Origin | None = None) -> AbstractContextManager[Span]:
        """Make a span for the block, whose code works within it. `origin` takes the place of the context at hand.

        An error that leaves the block fails the span, and so does a cancellation.
        """

    def begin(self, name: str, tell: Tell, *, origin: Origin | None = None, start: datetime | None = None) -> Span:
        """Return a span within which no code works, to be ended by hand; `start` may lie in the past."""

    @property
    def current(self) -> Span:
        """The span that this code works within."""

    @property
    def context(self) -> Origin:
        """The headers that tell the context at hand; empty outside any trace."""

    @property
    def ids(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` of the context at hand, in hexadecimal; empty outside any span."""


class _NoSpan:
    is_recording = False

    def note(self, attributes: Attributes) -> None:
        pass

    def fail(self, kind: str, message: str) -> None:
        pass

    def end(self) -> None:
        pass


NO_SPAN: Final[Span] = _NoSpan()
_NOWHERE: Final[Origin] = {}
_origin: ContextVar[Origin] = ContextVar("sutazai_trace_origin", default=_NOWHERE)


class _From:
    """A block whose work comes from an origin; no generator, since tasks pass some even where nothing is traced."""

    __slots__ = ("_before", "_origin")

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def __enter__(self) -> Span:
        self._before = _origin.set(self._origin)
        return NO_SPAN

    def __exit__(self, *_: object) -> None:
        _origin.reset(self._before)


_PLAIN_BLOCK: Final = nullcontext(NO_SPAN)


class Untraced:
    """Makes no span, and hands on the origin of the work."""

    tells_content = False
    current = NO_SPAN
    ids: Mapping[str, str] = _NOWHERE

    def span(
        self,
        name: str,  # noqa: ARG002 - nobody keeps it
        kind: Kind,  # noqa: ARG002 - the same
        tell: Tell,  # noqa: ARG002 - the same
        *,
        origin: Origin | None = None,
    ) -> AbstractContextManager[Span]:
        """See `Tracing.span`."""
        return _PLAIN_BLOCK if origin is None else _From(origin)

    def begin(
        self,
        name: str,  # noqa: ARG002 - nobody keeps it
        tell: Tell,  # noqa: ARG002 - the same
        *,
        origin: Origin | None = None,  # noqa: ARG002 - the same
        start: datetime | None = None,  # noqa: ARG002 - the same
    ) -> Span:
        """See `Tracing.begin`."""
        return NO_SPAN

    @property
    def context(self) -> Origin:
        """See `Tracing.context`."""
        return _origin.get()


_UNTRACED: Final = Untraced()
_chosen: Final[list[Tracing]] = []


def tracing() -> Tracing:
    """Return the maker of spans in use.

    It is the one that `using` chose; else OpenTelemetry, if the program has set a provider. It cannot have done so
    without importing it: a program that has not is spared the 60 ms that this takes.
    """
    for latest in _chosen[-1:]:  # one step: a block may end in another thread
        return latest
    if "opentelemetry.trace" not in sys.modules:
        return _UNTRACED
    return _own_provider()() or _UNTRACED


@contextmanager
def using(chosen: Tracing) -> Iterator[None]:
    """Have all of this process traced by `chosen` for the block, whatever provider is set."""
    _chosen.append(chosen)
    try:
        yield
    finally:
        _chosen.remove(chosen)


def origin_of(headers: Mapping[str, Any]) -> Origin | None:
    """Return the trace context that a message's headers, or a task's metadata, tell; None for none, or a bad one."""
    parent, state = headers.get(TRACEPARENT), headers.get(TRACESTATE)
    if not (isinstance(parent, str) and _FORM.fullmatch(parent)):
        return None
    if isinstance(state, str) and 0 < len(state) <= LONGEST_STATE and state.isascii() and state.isprintable():
        return {TRACEPARENT: parent, TRACESTATE: state}
    return {TRACEPARENT: parent}


def carrying(message: Message) -> Message:
    """Return the message with the context at hand in its headers."""
    context = tracing().context
    return replace(message, headers={**message.headers, **context}) if context else message


def with_trace_ids(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add `trace_id` and `span_id` to a line of the log, where the work is traced; a processor of structlog."""
    line.update(tracing().ids)
    return line


@cache
def _own_provider() -> Callable[[], Tracing | None]:
    from bus.otel import by_own_provider  # noqa: PLC0415 - only where the program has it imported

    return by_own_provider
