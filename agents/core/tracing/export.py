"""OpenTelemetry's SDK, set up: a provider, its resource, its exporter, and an end that does not take for ever."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from agents.core.bare_urls import without_credentials
from agents.core.settings import SettingsError
from agents.core.tracing.batches import Batches
from agents.core.tracing.choice import Choice, Exporter, endpoint_of
from agents.core.tracing.otlp_file import OtlpFile
from agents.core.tracing.provider import ProcessProvider
from agents.core.version import VERSION
from bus.otel import OpenTelemetry, product_tracer, provide
from bus.standard_error import standard_error
from bus.tracing import using

log = structlog.get_logger(__name__)


def exporting(choice: Choice, service: str, instance: str) -> AbstractContextManager[None]:
    """Return a block in which this process exports as `choice` says; see `agents.core.tracing.traced`.

    Raises:
        SettingsError: the file cannot be written.
        Exception: whatever OpenTelemetry raises where one of its variables is wrong.
    """
    found = trace.get_tracer_provider()
    if not isinstance(found, trace.ProxyTracerProvider | ProcessProvider):
        log.info("tracing.provider_kept", reason="the program has set a provider of its own")
        return nullcontext()
    provider = found if isinstance(found, ProcessProvider) else ProcessProvider(resource_of(service, instance))
    exporter, to = _exporter(choice)
    try:
        batches = Batches(exporter, to)
    except ValueError:
        exporter.shutdown()
        raise
    if provider is not found:
        provide(provider)  # for what agents trace by themselves
    log.info("tracing.started", exporter=choice.exporter.value, to=to)
    return _leading(provider, batches)


@contextmanager
def _leading(provider: ProcessProvider, batches: Batches) -> Iterator[None]:
    try:
        with provider.leading_to(batches), using(OpenTelemetry(product_tracer(provider))):
            yield
    finally:
        batches.end()


def resource_of(service: str, instance: str) -> Resource:
    """Return who makes these spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    own = {"service.name": service, "service.version": VERSION, "service.instance.id": instance}
    return Resource.create(own).merge(OTELResourceDetector().detect())


def _exporter(choice: Choice) -> tuple[SpanExporter, str]:
    """Return the exporter, and where it exports to, for people."""
    if choice.exporter is Exporter.OTLP:
        return OTLPSpanExporter(), without_credentials(endpoint_of(os.environ))
    if choice.path is None:
        return ConsoleSpanExporter(
            out=standard_error(), formatter=lambda span: f"{span.to_json(indent=None)}\n"
        ), "stderr"
    try:
        return OtlpFile(choice.path), str(choice.path)
    except OSError as error:
        raise SettingsError(
            f"setting tracing = 'file:{choice.path}': it cannot be written ({error.strerror}): name a file in a folder "
            "that exists"
        ) from error
