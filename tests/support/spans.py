"""Spans that this process made, kept in memory, and those that others wrote into a file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bus.otel import OpenTelemetry, product_tracer
from bus.tracing import using


@dataclass(frozen=True)
class Seen:
    """A span that has ended, ids in hexadecimal, times in seconds."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str | None
    attributes: dict[str, Any]
    start: float
    end: float
    is_error: bool
    events: tuple[tuple[str, dict[str, Any]], ...] = ()
    service: str = ""
    status: str = ""


class Spans:
    """All spans that were made so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def all(self) -> list[Seen]:
        """The spans, as they ended."""
        return [_seen(span) for span in self._exporter.get_finished_spans()]

    def named(self, start: str) -> list[Seen]:
        """Those whose name begins so, in the order of their beginnings."""
        return named(self.all, start)

    def one(self, start: str) -> Seen:
        """The only one whose name begins so."""
        (found,) = self.named(start)
        return found


@contextmanager
def spans_seen() -> Iterator[Spans]:
    """Trace this process for the block."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with using(OpenTelemetry(product_tracer(provider))):
        yield Spans(exporter)


def named(spans: Sequence[Seen], start: str) -> list[Seen]:
    """Return those whose name begins so, in the order of their beginnings."""
    return sorted((span for span in spans if span.name.startswith(start)), key=lambda span: span.start)


def tree(spans: Sequence[Seen]) -> list[str]:
    """Return the spans as lines, children indented below their parents; a root has no parent among them."""
    known = {span.id for span in spans}

    def lines(parent: str | None, depth: int) -> Iterator[str]:
        for span in sorted(spans, key=lambda span: (span.start, span.name)):
            if (span.parent if span.parent in known else None) == parent:
                yield "  " * depth + span.name
                yield from lines(span.id, depth + 1)

    return list(lines(None, 0))


def read_spans(path: Path) -> list[Seen]:
    """Return the spans that programs wrote into a file, in OTLP's JSON."""
    batches = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        _read(span, _values(resource["resource"])["service.name"])
        for batch in batches
        for resource in batch["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _read(span: dict[str, Any], service: str) -> Seen:
    return Seen(
        name=span["name"],
        kind={1: "INTERNAL", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}[span["kind"]],
        trace=span["traceId"],
        id=span["spanId"],
        parent=span.get("parentSpanId"),
        attributes=_values(span),
        start=int(span["startTimeUnixNano"]) / 1e9,
        end=int(span["endTimeUnixNano"]) / 1e9,
        is_error=span["status"].get("code") == 2,
        service=service,
    )


def _values(owner: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in owner.get("attributes", ())}


def _seen(span: ReadableSpan) -> Seen:
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return Seen(
        name=span.name,
        kind=span.kind.name,
        trace=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent=None if parent is None else f"{parent.span_id:016x}",
        attributes=dict(span.attributes or {}),
        start=span.start_time / 1e9,
        end=span.end_time / 1e9,
        is_error=not span.status.is_ok and not span.status.is_unset,
        status=span.status.description or "",
        events=tuple((event.name, dict(event.attributes or {})) for event in span.events),
    )
