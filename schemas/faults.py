"""What pydantic says of an invalid value, in words people can act on. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.base import AGENT_NAME_PATTERN
from schemas.task import TASK_ID_PATTERN

_PATTERNS: Final[Mapping[str, str]] = {
    AGENT_NAME_PATTERN: "use lower-case letters, digits and hyphens, with no hyphen first",
    TASK_ID_PATTERN: "use 1 to 128 printable ASCII characters",
}


def plain_words(told: str, more: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return pydantic's message without its own marks, and with a remedy in the place of a regular expression.

    `more` has remedies by the patterns of who asks.
    """
    remedies = {**_PATTERNS, **more}
    found = (remedy for pattern, remedy in remedies.items() if f"'{pattern}'" in told)
    return next(found, told.removeprefix("Value error, "))
