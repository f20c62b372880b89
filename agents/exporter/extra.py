"""The check that the `exporter` extra is installed."""

from importlib import import_module

from agents.core.settings import SettingsError


class ExtraMissingError(SettingsError, ImportError):
    """A package of the `exporter` extra is not installed."""


def require_extra() -> None:
    """Import what the extra brings, so that its absence is one sentence.

    Raises:
        ExtraMissingError: it is not installed.
    """
    try:
        import_module("prometheus_client")
    except ImportError as error:
        raise ExtraMissingError("prometheus-client is not installed: pip install 'sutazai-agents[exporter]'") from error
