"""JSON Schemas that an agent may declare: checked once, when they are read, so that no task meets a bad one."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from agents.core.output.fault import path_of

_EXAMPLE: Final = "{type: object, properties: {title: {type: string}}, required: [title]}"

_REFERENCES: Final = ("$ref", "$dynamicRef")


def schema_from(declared: object, folder: Path) -> Mapping[str, Any]:
    """Return the JSON Schema that a file declares: itself, or the path of a .json file, relative to `folder`.

    Raises:
        ValueError: it cannot be read or is no usable schema. The text is a sentence without a subject.
    """
    schema = _read(folder / declared) if isinstance(declared, str) else declared
    if not isinstance(schema, Mapping) or not schema:
        raise ValueError(f"is {declared!r}: give a JSON Schema such as {_EXAMPLE}, or the path of a .json file")
    validator_of(schema)
    return schema


def validator_of(schema: Mapping[str, Any]) -> Validator:
    """Return what checks answers against `schema`, by its own `$schema` or the draft 2020-12. It fetches nothing.

    Raises:
        ValueError: it is no valid JSON Schema, or refers to something outside itself.
    """
    _check_keys(schema)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(dict(schema))
    except SchemaError as error:
        where = path_of(error.absolute_path) or "the whole"
        raise ValueError(f"is no valid JSON Schema at {where}: {error.message}") from None
    _check_references(schema)
    return kind(dict(schema), registry=Registry())


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"is '{path}', which cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"is '{path}', which is no JSON: {error}") from None


def _check_keys(schema: Mapping[str, Any]) -> None:
    """Refuse what YAML knows and JSON does not."""
    for part in _objects(schema):
        for key in part:
            # YAML 1.1 takes the bare words on, off, yes and no for booleans.
            if not isinstance(key, str):
                raise ValueError(f"has the key {key!r}, which is no text: put it in quotes")  # noqa: TRY004 - a sentence
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"cannot be written as JSON ({error}): put dates in quotes") from None


def _check_references(schema: Mapping[str, Any]) -> None:
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    references = [(key, part.get(key)) for part in _objects(schema) for key in _REFERENCES]
    for key, reference in references:
        # In `properties`, such a name may be a field's.
        if not isinstance(reference, str):
            continue
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(
                f"has {key} {reference!r}, which is nowhere in it: refer to its own parts, as in '#/$defs/Item'"
            ) from None


def _objects(value: object) -> Iterator[Mapping[Any, Any]]:
    """Iterate over all mappings within a value, itself included."""
    if isinstance(value, Mapping):
        yield value
    for part in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _objects(part)
