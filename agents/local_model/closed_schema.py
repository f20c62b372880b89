"""A JSON Schema as Ollama takes it: an object has the properties that are listed, and no others."""

from collections.abc import Mapping
from typing import Any, Final

_SCHEMAS_BY_NAME: Final = ("properties", "$defs", "definitions")
_SCHEMA: Final = ("items", "additionalProperties")
_SCHEMAS: Final = ("anyOf", "oneOf", "prefixItems")


def closed(schema: Any) -> Any:
    """Return the schema with `additionalProperties: false` wherever an object lists its properties and says no more.

    The engine follows the standard, which allows any others: a small model then goes on inventing properties until its
    tokens are used up. Ollama's grammar leaves them out. Parts of `allOf` stay open, since each of them holds for all.
    """
    if not isinstance(schema, Mapping):
        return schema
    within: dict[str, Any] = dict(schema)
    for name in within.keys() & set(_SCHEMAS_BY_NAME):
        if isinstance(within[name], Mapping):
            within[name] = {key: closed(part) for key, part in within[name].items()}
    for name in within.keys() & set(_SCHEMA):
        within[name] = closed(within[name])
    for name in within.keys() & set(_SCHEMAS):
        if isinstance(within[name], list):
            within[name] = [closed(part) for part in within[name]]
    if "properties" in within:
        within.setdefault("additionalProperties", False)
    return within
