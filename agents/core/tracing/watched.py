"""WatchedExporter: an exporter whose failures are told once, in one line of ours."""

from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = structlog.get_logger(__name__)


class WatchedExporter(SpanExporter):
    """Passes everything on. The first failure in a row is a warning, and the success after it is told too.

    `begun` and `ended` count the spans that it was given to export, and those of them that it is done with.
    """

    def __init__(self, exporter: SpanExporter, to: str) -> None:
        """`to` says in the log where the spans should go."""
        self._exporter = exporter
        self._to = to
        self._lost = 0
        self.begun = self.ended = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch. What fails is lost: tasks matter more than the spans about them."""
        self.begun += len(spans)
        result = self._export(spans)
        self.ended += len(spans)
        return result

    def _export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever an exporter raises, the next batch may go through
            self._note_failure(len(spans), str(error))
            return SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._note_success()
        else:
            self._note_failure(len(spans), "it is away, or refuses them")
        return result

    def shutdown(self) -> None:
        """Close the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter`."""
        return self._exporter.force_flush(timeout_millis)

    def _note_failure(self, spans: int, reason: str) -> None:
        if self._lost == 0:
            log.warning("tracing.export_failed", to=self._to, reason=reason, effect="spans are lost, tasks go on")
        self._lost += spans

    def _note_success(self) -> None:
        if self._lost:
            log.info("tracing.export_resumed", to=self._to, lost=self._lost)
            self._lost = 0
