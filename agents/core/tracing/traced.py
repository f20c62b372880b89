"""Tracing a whole process, where somebody asks for it."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import structlog

from agents.core.settings import Settings
from agents.core.tracing.choice import Choice, ExporterUnknown, choice_of
from agents.core.tracing.extra import ExtraMissingError, require_extra

log = structlog.get_logger(__name__)


@contextmanager
def traced(settings: Settings, service: str) -> Iterator[None]:
    """Export the spans of this process for the block, if the settings or OpenTelemetry's variables ask for that.

    `service` is the name it has in traces, unless OTEL_SERVICE_NAME gives another. A program that has set a provider
    of its own keeps it. Leaving the block takes three seconds at most, whatever has become of the collector.

    Raises:
        ExtraMissingError: our own setting asks for it, and the extra is not installed. Where only the variables do,
            that is a warning: they are meant for all programs of a machine.
        SettingsError: the file cannot be written.
    """
    with _exporting(_wanted(settings), settings, service):
        yield


def _wanted(settings: Settings) -> Choice | None:
    try:
        choice = choice_of(settings.tracing, os.environ)
        if choice is not None:
            require_extra()
    except ExporterUnknown as error:
        log.warning("tracing.off", reason=str(error))
        return None
    except ExtraMissingError as error:
        if settings.tracing is not None:
            raise
        log.warning("tracing.off", reason=str(error))
        return None
    return choice


def _exporting(choice: Choice | None, settings: Settings, service: str) -> AbstractContextManager[None]:
    if choice is None:
        return nullcontext()
    from agents.core.tracing.export import exporting  # noqa: PLC0415 - an extra

    return exporting(choice, service, settings.host_name)
