"""OpenTelemetry's SDK, set up: a provider, its resource, its exporter, and an end that does not take for ever."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from agents.core.bare_urls import without_credentials
from agents.core.settings import SettingsError
from agents.core.tracing.choice import Choice, Exporter, endpoint_of
from agents.core.tracing.otlp_file import OtlpFile
from agents.core.tracing.watched import WatchedExporter
from agents.core.version import VERSION
from bus.otel import OpenTelemetry, product_tracer
from bus.tracing import using

log = structlog.get_logger(__name__)

END_SECONDS: Final = 3.0
"""What the last spans get to be exported in. An exporter that cannot reach its collector would try for ten."""


@contextmanager
def exporting(choice: Choice, service: str, instance: str) -> Iterator[None]:
    """Have a provider for the block, which exports where `choice` says; see `agents.core.tracing.traced`.

    Raises:
        SettingsError: the file cannot be written.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        log.info("tracing.provider_kept", reason="the program has set a provider of its own")
        yield
        return
    exporter, to = _exporter(choice)
    provider = TracerProvider(resource=resource_of(service, instance), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(WatchedExporter(exporter, to)))
    trace.set_tracer_provider(provider)  # for what agents trace by themselves
    log.info("tracing.started", exporter=choice.exporter.value, to=to)
    try:
        with using(OpenTelemetry(product_tracer(provider))):
            yield
    finally:
        _shut_down(provider, to)


def resource_of(service: str, instance: str) -> Resource:
    """Return who makes these spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    own = {"service.name": service, "service.version": VERSION, "service.instance.id": instance}
    return Resource.create(own).merge(OTELResourceDetector().detect())


def _exporter(choice: Choice) -> tuple[SpanExporter, str]:
    """Return the exporter, and where it exports to, for people."""
    if choice.exporter is Exporter.OTLP:
        return OTLPSpanExporter(), without_credentials(endpoint_of(os.environ))
    if choice.path is None:
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n"), "stderr"
    try:
        return OtlpFile(choice.path), str(choice.path)
    except OSError as error:
        raise SettingsError(
            f"setting tracing = 'file:{choice.path}': it cannot be written ({error.strerror}): name a file in a folder "
            "that exists"
        ) from error


def _shut_down(provider: TracerProvider, to: str) -> None:
    # In a thread that nobody waits for in the end: shutting down has no limit of its own.
    ending = threading.Thread(target=provider.shutdown, name="tracing:end", daemon=True)
    ending.start()
    ending.join(END_SECONDS)
    if ending.is_alive():
        log.warning("tracing.spans_lost", to=to, seconds=END_SECONDS)
