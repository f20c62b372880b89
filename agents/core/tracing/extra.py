"""The check that the `otel` extra is installed."""

from importlib import import_module

from agents.core.settings import SettingsError


class ExtraMissingError(SettingsError, ImportError):
    """A package of the `otel` extra is not installed."""


def require_extra() -> None:
    """Import what the extra brings, so that its absence is one sentence.

    Raises:
        ExtraMissingError: it is not installed.
    """
    for module in ("opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter"):
        try:
            import_module(module)
        except ImportError as error:
            raise ExtraMissingError(
                "traces are asked for and OpenTelemetry is not installed: pip install 'sutazai-agents[otel]'"
            ) from error
