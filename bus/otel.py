"""Tracing by OpenTelemetry. The one file of the bus that imports it; see `bus.tracing`."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bus.discretion import discreet
from bus.retry import logged_text
from bus.tracing import Attributes, Kind, Origin, Span, Tell
from bus.version import VERSION

log = structlog.get_logger(__name__)

_W3C: Final = TraceContextTextMapPropagator()

ERROR_TYPE: Final = "error.type"

MESSAGE_KEPT: Final = 1_000
"""Characters of an error's text in a span."""

CONTENT_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""OpenTelemetry's own variable, by which people ask for prompts and answers in spans."""

_WITH_CONTENT: Final = frozenset(("true", "span_only", "span_and_event"))

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before it there is no time in OTLP, and one bad time would cost a whole batch of spans."""


def product_tracer(provider: TracerProvider | None = None) -> Tracer:
    """Return this product's tracer of a provider; None for the program's own, whenever it is set."""
    return trace.get_tracer("sutazai", VERSION, provider)


class OtelSpan:
    """A span of OpenTelemetry; see `bus.tracing.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def is_recording(self) -> bool:
        """See `bus.tracing.Span`."""
        return self._span.is_recording()

    def note(self, attributes: Attributes) -> None:
        """See `bus.tracing.Span`."""
        if self._span.is_recording():
            self._span.set_attributes(usable(attributes))

    def fail(self, kind: str, message: str) -> None:
        """See `bus.tracing.Span`."""
        self.note({ERROR_TYPE: kind})
        self._span.set_status(StatusCode.ERROR, _told(message))

    def fail_by(self, error: BaseException) -> None:
        """Say that an error ended it, and record that, without its traceback."""
        # A traceback's last line is the error's whole text; the way through the code is in the log.
        kind, text = _kind_of(error), _told(logged_text(error))
        self._span.add_event("exception", {"exception.type": type(error).__qualname__, "exception.message": text})
        self.fail(kind, text)

    def end(self) -> None:
        """See `bus.tracing.Span`."""
        self._span.end()


class OpenTelemetry:
    """Makes spans with a tracer; see `bus.tracing.Tracing`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.tells_content = os.environ.get(CONTENT_VARIABLE, "").strip().lower() in _WITH_CONTENT

    @contextmanager
    def span(self, name: str, kind: Kind, tell: Tell, *, origin: Origin | None = None) -> Iterator[OtelSpan]:
        """See `bus.tracing.Tracing`."""
        made = self._tracer.start_span(
            _writable(name), _context_of(origin), kind=SpanKind[kind.value], attributes=usable(tell())
        )
        span = OtelSpan(made)
        with trace.use_span(made, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except (Exception, asyncio.CancelledError) as error:
                span.fail_by(error)
                raise

    def begin(self, name: str, tell: Tell, *, origin: Origin | None = None, start: datetime | None = None) -> Span:
        """See `bus.tracing.Tracing`."""
        began = None if start is None else int(max(start, _EPOCH).timestamp() * 1e9)
        made = self._tracer.start_span(
            _writable(name), _context_of(origin), attributes=usable(tell()), start_time=began
        )
        return OtelSpan(made)

    @property
    def current(self) -> Span:
        """See `bus.tracing.Tracing`."""
        return OtelSpan(trace.get_current_span())

    @property
    def context(self) -> Origin:
        """See `bus.tracing.Tracing`."""
        headers: dict[str, str] = {}
        _W3C.inject(headers)
        return headers

    @property
    def ids(self) -> Mapping[str, str]:
        """See `bus.tracing.Tracing`."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {
            "trace_id": trace.format_trace_id(context.trace_id),
            "span_id": trace.format_span_id(context.span_id),
        }


_faults: Final[list[str]] = []
_provided: Final[list[trace.TracerProvider]] = []


def provide(provider: trace.TracerProvider) -> None:
    """Set a provider for the whole process which counts here only while `using` chooses it.

    OpenTelemetry sets one once and for good; when nobody exports any more, spans would be made for nobody.
    """
    _provided.append(provider)
    trace.set_tracer_provider(provider)


def by_own_provider() -> OpenTelemetry | None:
    """Return tracing by the provider that the program has set; None as long as it has set none.

    One that OTEL_PYTHON_TRACER_PROVIDER names and that cannot be loaded counts as none, after one warning.
    """
    if _faults:
        return None
    try:
        provider = trace.get_tracer_provider()
    except Exception as error:  # noqa: BLE001 - whatever loading it raises, tasks and lines of the log go on
        _faults.append(str(error))  # first: the warning's own line asks for tracing
        log.warning("tracing.off", reason=f"OTEL_PYTHON_TRACER_PROVIDER names none that can be loaded: {error!r}")
        return None
    if isinstance(provider, trace.ProxyTracerProvider) or provider in _provided:
        return None
    return _by_own_provider()


@cache
def _by_own_provider() -> OpenTelemetry:
    return OpenTelemetry(product_tracer())


def usable(attributes: Attributes) -> dict[str, Any]:
    """Return the attributes that OpenTelemetry takes, names and texts as UTF-8 has them."""
    kept = {_writable(name): _value(value) for name, value in attributes.items() if name}
    return {name: value for name, value in kept.items() if value is not None}


def _value(value: object) -> Any:
    if isinstance(value, str):
        return _writable(value)
    if isinstance(value, list | tuple):
        texts = [_writable(item) for item in value if isinstance(item, str)]
        return texts if len(texts) == len(value) else None
    return value if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63) else None


def _told(text: str) -> str:
    return _writable(discreet(text))[:MESSAGE_KEPT]


def _writable(text: str) -> str:
    """Return a text that UTF-8 can write: one half of a surrogate pair would cost its whole batch of spans."""
    return text.encode(errors="backslashreplace").decode()


def _context_of(origin: Origin | None) -> Context | None:
    return None if origin is None else _W3C.extract(dict(origin))


def _kind_of(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else type(error).__qualname__
