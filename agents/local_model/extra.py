"""The check that the `local` extra is installed; importing this module makes it."""

from importlib import import_module
from typing import Final

from agents.local_model.errors import ExtraMissingError

_NEEDED: Final = ("starlette", "uvicorn", "xllamacpp")


def require_extra(modules: tuple[str, ...] = _NEEDED) -> None:
    """Import `modules`, so that what is missing is named in one sentence before anything else fails.

    Raises:
        ExtraMissingError: A package of the extra, or the system's OpenMP library, is not installed.
    """
    try:
        for module in modules:
            import_module(module)
    except ImportError as error:
        raise ExtraMissingError(remedy(error)) from error


def remedy(error: ImportError) -> str:
    """Tell how to install what `error` missed."""
    if "libgomp" in str(error):
        return "The local model server needs the system library libgomp: apt-get install libgomp1."
    return "The local model server needs the `local` extra: pip install 'sutazai-agents[local]'."


require_extra()
