"""The schema that reaches the engine."""

from typing import Any

import pytest

from agents.local_model.closed_schema import closed

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "additionalProperties": False}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (OPEN, CLOSED),
        ({"type": "array", "items": OPEN}, {"type": "array", "items": CLOSED}),
        ({"$defs": {"x": OPEN}, "$ref": "#/$defs/x"}, {"$defs": {"x": CLOSED}, "$ref": "#/$defs/x"}),
        ({"anyOf": [OPEN, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}),
        ({"properties": {"b": OPEN}}, {"properties": {"b": CLOSED}, "additionalProperties": False}),
        ({"type": "object", "additionalProperties": OPEN}, {"type": "object", "additionalProperties": CLOSED}),
    ],
)
def test_an_object_has_the_listed_properties_and_no_others(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert closed(given) == wanted


@pytest.mark.parametrize(
    "schema",
    [
        {**OPEN, "additionalProperties": True},
        {"type": "object"},
        {"allOf": [OPEN, OPEN]},
        {"properties": True, "additionalProperties": True, "anyOf": 5},
        True,
    ],
)
def test_what_says_more_or_nothing_stays_as_it_is(schema: object) -> None:
    assert closed(schema) == schema
