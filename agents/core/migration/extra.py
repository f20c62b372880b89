"""The check that the `migrate` extra is installed."""

from importlib import import_module

from agents.core.settings import SettingsError


class ExtraMissingError(SettingsError, ImportError):
    """A package of the `migrate` extra is not installed."""


def require_extra(module: str) -> None:
    """Import a module of the extra, so that its absence is one sentence.

    Raises:
        ExtraMissingError: it is not installed.
    """
    try:
        import_module(module)
    except ImportError as error:
        raise ExtraMissingError(f"{module} is not installed: pip install 'sutazai-agents[migrate]'") from error
