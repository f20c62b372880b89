"""What pydantic says of an invalid value, in words people can act on. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

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


def first_fault(error: ValidationError, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the first fault in one sentence: field, value and remedy. `names` has fields as their giver knows them."""
    fault = error.errors(include_url=False)[0]
    told, value = plain_words(fault["msg"]), fault["input"]
    # A fault of the whole has no place, and a sentence that quotes its value has named the field as well.
    if not fault["loc"] or (isinstance(value, str) and repr(value) in told):
        return told
    field, *rest = map(str, fault["loc"])
    return f"{' '.join([names.get(field, field), *rest])} = {value!r}: {told}"
