"""Spans on their way out: what there is no room for is counted and told."""

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.contextvars import bound_contextvars

from agents.core.tracing.batches import Batches
from agents.core.tracing.provider import ProcessProvider
from tests.support.log_lines import logged

LIMIT = 20.0


class Gated(SpanExporter):
    """A collector that takes its time."""

    def __init__(self) -> None:
        self.asked, self.opened = threading.Event(), threading.Event()
        self.took: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        assert self.opened.wait(LIMIT)
        self.took += [span.name for span in spans]
        return SpanExportResult.SUCCESS


@pytest.fixture(autouse=True)
def _small_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")


def work(provider: ProcessProvider, *names: str) -> None:
    for name in names:
        provider.get_tracer("x").start_span(name).end()


def test_spans_that_a_slow_collector_leaves_no_room_for_are_told_at_once_and_counted_at_the_end() -> None:
    exporter, provider = Gated(), ProcessProvider(Resource({}))
    with logged("info") as lines:
        batches = Batches(exporter, "http://collector:4318")
        with provider.leading_to(batches):
            work(provider, "a", "b")
            assert exporter.asked.wait(LIMIT)
            with bound_contextvars(task="order-17"):
                work(provider, *"cdefgh")
            (line,) = lines.of("tracing.spans_lost")
            exporter.opened.set()
            batches.end()
    assert exporter.took == list("abcdef")
    assert (line["to"], line["lost"], line["level"]) == ("http://collector:4318", 1, "warning")
    assert "task" not in line
    assert line["reason"].endswith("OTEL_BSP_MAX_QUEUE_SIZE is 4")
    _, last = lines.of("tracing.spans_lost")
    assert (last["lost"], last["reason"]) == (2, "there was no room for 2, and 0 had not gone out at the end")


def test_spans_that_all_went_out_are_no_line_and_those_not_sampled_are_not_taken() -> None:
    exporter, provider = Gated(), ProcessProvider(Resource({}))
    exporter.opened.set()
    with logged("info") as lines:
        batches = Batches(exporter, "nowhere")
        with provider.leading_to(batches):
            work(provider, "a")
            assert provider.force_flush()
            batches.on_end(ReadableSpan("without a context"))
            batches.end()
        work(provider, "to nobody")
    assert (exporter.took, lines.getvalue()) == (["a"], "")
