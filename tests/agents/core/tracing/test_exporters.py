"""Exporters of our own: the file, and the one that tells of failures."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from agents.core.tracing.otlp_file import OtlpFile
from agents.core.tracing.watched import WatchedExporter
from bus.otel import OpenTelemetry, product_tracer
from bus.tracing import Kind
from tests.support.log_lines import logged
from tests.support.spans import read_spans

OK, LOST = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


class Moody(SpanExporter):
    """Does what it is told, one after the other."""

    def __init__(self, *moods: SpanExportResult | Exception) -> None:
        self.moods = list(moods)
        self.is_closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        mood = self.moods.pop(0)
        if isinstance(mood, Exception):
            raise mood
        return mood

    def shutdown(self) -> None:
        self.is_closed = True


def maker_to(exporter: SpanExporter) -> tuple[OpenTelemetry, TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OpenTelemetry(product_tracer(provider)), provider


def test_a_file_holds_one_line_of_otlp_for_each_batch_and_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    for word in ("first", "second"):
        maker, provider = maker_to(OtlpFile(path))
        with maker.span(word, Kind.CLIENT, lambda: {"text": "süß", "list": ["a"], "number": 7}) as span:
            ids = maker.ids
            span.fail("odd", "message")
        provider.shutdown()
    _, line = (json.loads(text) for text in path.read_text().splitlines())
    (told,) = line["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (told["traceId"], told["spanId"], told["kind"]) == (ids["trace_id"], ids["span_id"], 3)
    assert told["status"] == {"message": "message", "code": 2}
    assert {"key": "number", "value": {"intValue": "7"}} in told["attributes"]
    assert line["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"] == "sutazai"
    first, second = read_spans(path)
    assert (first.name, second.name, first.attributes["text"], second.is_error) == ("first", "second", "süß", True)


def test_the_first_failure_in_a_row_is_told_and_what_was_lost_once_it_works_again() -> None:
    exporter = Moody(LOST, OSError("no space left"), LOST, OK, OK, OSError("no space left"))
    watched = WatchedExporter(exporter, "http://collector:4318")
    with logged("info") as lines:
        results = [watched.export((ReadableSpan("a"),)) for _ in range(6)]
    assert results == [LOST, LOST, LOST, OK, OK, LOST]
    assert [line["event"] for line in lines.read_all()] == [
        "tracing.export_failed",
        "tracing.export_resumed",
        "tracing.export_failed",
    ]
    first, resumed, last = lines.read_all()
    assert (first["to"], first["reason"]) == ("http://collector:4318", "it is away, or refuses them")
    assert (resumed["lost"], last["reason"]) == (3, "no space left")


def test_a_watched_exporter_is_flushed_and_closed_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = Moody()
    monkeypatch.setattr(exporter, "force_flush", lambda timeout_millis: timeout_millis == 7)
    watched = WatchedExporter(exporter, "nowhere")
    assert watched.force_flush(7)
    watched.shutdown()
    assert exporter.is_closed
