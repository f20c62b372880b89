"""ProcessProvider: the one provider of a process, whose spans go where they are led at the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider


class Outlet(Protocol):
    """Takes spans that have ended."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take one; from any thread."""

    def force_flush(self, timeout_millis: int) -> bool:
        """Export all it has; whether that went well in time."""


class ProcessProvider(TracerProvider):
    """What OpenTelemetry has set for the whole process, which can be done once; outlets come and go."""

    def __init__(self, resource: Resource) -> None:
        """`resource` says who makes the spans, for the whole life of the process."""
        super().__init__(resource=resource, shutdown_on_exit=False)
        self._outlets: list[Outlet] = []
        self.add_span_processor(_ToTheLast(self._outlets))

    @contextmanager
    def leading_to(self, outlet: Outlet) -> Iterator[None]:
        """Have spans that end in the block go there; of blocks at the same time, the one that was entered last counts.

        So no span is exported twice, and none is lost with the block that ends first.
        """
        self._outlets.append(outlet)
        try:
            yield
        finally:
            self._outlets.remove(outlet)


class _ToTheLast(SpanProcessor):
    def __init__(self, outlets: list[Outlet]) -> None:
        self._outlets = outlets

    def on_end(self, span: ReadableSpan) -> None:
        for outlet in self._outlets[-1:]:
            outlet.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return all(outlet.force_flush(timeout_millis) for outlet in self._outlets[-1:])
