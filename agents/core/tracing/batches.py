"""Batches: spans on their way to an exporter, counted, so that none is lost without a word."""

import os
import threading
from contextvars import Context
from typing import Final

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from agents.core.tracing.watched import WatchedExporter

log = structlog.get_logger(__name__)

CAPACITY_VARIABLE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
DEFAULT_CAPACITY: Final = 2048
"""OpenTelemetry's own: opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables."""

END_SECONDS: Final = 3.0
"""What the last spans get to be exported in. An exporter that cannot reach its collector would try for ten."""


class Batches:
    """Exports spans in batches, in a thread. Where they come faster than they go out, the newest are dropped."""

    def __init__(self, exporter: SpanExporter, to: str) -> None:
        """`to` says in the log where the spans should go.

        Raises:
            ValueError: one of the variables OTEL_BSP_... cannot be used.
        """
        self._to = to
        self._capacity = _capacity()
        self._exporter = WatchedExporter(exporter, to)
        self._processor = BatchSpanProcessor(self._exporter, max_queue_size=self._capacity)
        self._counting = threading.Lock()
        self._given = self._dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, if it is sampled and there is room for it."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        with self._counting:
            has_room = self._given - self._exporter.begun < self._capacity
            self._given += has_room
            self._dropped += not has_room
            is_first = not has_room and self._dropped == 1
        if has_room:
            self._processor.on_end(span)
        elif is_first:
            Context().run(self._tell_first_loss)  # it is not about the task whose span it happens to be

    def force_flush(self, timeout_millis: int) -> bool:
        """Export all it has."""
        return self._processor.force_flush(timeout_millis)

    def end(self) -> None:
        """Export the rest, for END_SECONDS at most, and tell how many spans were lost on the way in all, if any."""
        # In a thread that nobody waits for in the end: shutting down has no limit of its own.
        ending = threading.Thread(target=self._processor.shutdown, name="tracing:end", daemon=True)
        ending.start()
        ending.join(END_SECONDS)
        if lost := self._dropped + self._given - self._exporter.ended:
            reason = f"there was no room for {self._dropped}, and {lost - self._dropped} had not gone out at the end"
            log.warning("tracing.spans_lost", to=self._to, lost=lost, reason=reason)

    def _tell_first_loss(self) -> None:
        reason = f"they come faster than they go out: {CAPACITY_VARIABLE} is {self._capacity}"
        log.warning("tracing.spans_lost", to=self._to, lost=1, reason=reason)


def _capacity() -> int:
    value = os.environ.get(CAPACITY_VARIABLE, "").strip() or str(DEFAULT_CAPACITY)
    if not value.isdecimal():
        raise ValueError(f"{CAPACITY_VARIABLE} = {value!r} is no number of spans")
    return int(value)
