"""The version of this product, as it is installed."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("sutazai-agents")
    except PackageNotFoundError:
        # Copied beside a program, as docs/names.md's Dockerfile does, and not installed.
        return "0+unknown"


VERSION: Final = _installed()
