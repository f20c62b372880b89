"""(the setting, the environment) -> where spans go. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Where a collector is, in OpenTelemetry's own variables; the first one wins."""

DEFAULT_ENDPOINT: Final = "http://localhost:4318"
"""OTLP over HTTP, as every collector listens by default."""

PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
"""How OTLP goes, in OpenTelemetry's own variables; the first one wins."""

PROTOCOL: Final = "http/protobuf"
"""How ours does."""


class Exporter(StrEnum):
    """Who takes the spans."""

    OTLP = "otlp"
    CONSOLE = "console"
    FILE = "file"


class ExporterUnknown(ValueError):
    """OTEL_TRACES_EXPORTER names only what this product does not have."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where spans go. `is_own`: our own setting says so, not a variable that is meant for all programs here."""

    exporter: Exporter
    is_own: bool
    path: Path | None = None
    """The file, for FILE."""


def choice_of(setting: str | None, environ: Mapping[str, str]) -> Choice | None:
    """Return where spans go: as the setting says, else as OpenTelemetry's variables do; None is nowhere.

    `setting` is `otlp`, `console`, `file:PATH` or `none`.

    Raises:
        ExporterUnknown: the variables choose an exporter that is none of ours.
    """
    if setting is not None:
        return _own_choice(setting)
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    named = [name.strip().lower() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if not named:
        return Choice(Exporter.OTLP, is_own=False) if any(environ.get(name) for name in ENDPOINTS) else None
    if "none" in named:
        return None
    ours = [name for name in named if name in (Exporter.OTLP, Exporter.CONSOLE)]
    if not ours:
        raise ExporterUnknown(f"OTEL_TRACES_EXPORTER = {','.join(named)!r} is none of otlp, console and none")
    return Choice(Exporter(ours[0]), is_own=False)


def ignored_by(choice: Choice, environ: Mapping[str, str]) -> list[str]:
    """Return what OpenTelemetry's variables ask for and this product does not do, each as a sentence."""
    named = environ.get("OTEL_TRACES_EXPORTER", "")
    ignored = []
    if not choice.is_own and "," in named:
        ignored.append(f"OTEL_TRACES_EXPORTER = {named!r} names several: spans go to one, {choice.exporter.value}")
    variable = next((name for name in PROTOCOLS if environ.get(name)), None)
    if choice.exporter is Exporter.OTLP and variable is not None and environ[variable].strip() != PROTOCOL:
        ignored.append(
            f"{variable} = {environ[variable]!r}: spans go by {PROTOCOL}, for which collectors listen on port 4318"
        )
    return ignored


def endpoint_of(environ: Mapping[str, str]) -> str:
    """Return the address that OTLP goes to."""
    return next((environ[name] for name in ENDPOINTS if environ.get(name)), DEFAULT_ENDPOINT)


def _own_choice(setting: str) -> Choice | None:
    name, _, path = setting.partition(":")
    if name == "none":
        return None
    return Choice(Exporter(name), is_own=True, path=Path(path) if path else None)
