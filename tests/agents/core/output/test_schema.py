import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from agents.core.output.schema import schema_from, validator_of

TITLED: Mapping[str, Any] = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


class Node(BaseModel):
    name: str
    children: list["Node"] = []


def test_a_schema_in_the_file_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    assert schema_from(TITLED, tmp_path) is TITLED


def test_a_schema_beside_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "title.json").write_text(json.dumps(TITLED))
    assert schema_from("title.json", tmp_path) == TITLED


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (7, r"is 7: give a JSON Schema such as \{type: object"),
        (True, "is True: give a JSON Schema"),
        ({}, r"is \{\}: give a JSON Schema"),
        ([TITLED], r"is \[\{.*\]: give a JSON Schema"),
        ("none.json", r"is '.*none\.json', which cannot be read: No such file"),
        ("broken.json", r"is '.*broken\.json', which is no JSON: Expecting"),
        ("list.json", r"is 'list\.json': give a JSON Schema"),
        ({"type": "text"}, r"is no valid JSON Schema at type: 'text' is not valid"),
        ({"properties": {"a": {"minimum": "x"}}}, r"is no valid JSON Schema at properties\.a\.minimum: 'x' is not of"),
        ({"pattern": "("}, r"is no valid JSON Schema at pattern: '\(' is not a 'regex'"),
        ({"properties": {"a": {"$ref": "#/$defs/A"}}}, r"has \$ref '#/\$defs/A', which is nowhere in it: refer to its"),
        ({"items": {"$ref": "http://127.0.0.1:9/a"}}, r"has \$ref 'http://127.0.0.1:9/a', which is nowhere in it"),
        (
            {"items": {"$dynamicRef": "http://127.0.0.1:9/a"}},
            r"has \$dynamicRef 'http://127.0.0.1:9/a', which is nowhere",
        ),
        (yaml.safe_load("properties: {on: {type: string}}"), "has the key True, which is no text: put it in quotes"),
        (yaml.safe_load("anyOf: [{const: {1: a}}]"), "has the key 1, which is no text: put it in quotes"),
        (yaml.safe_load("enum: [2026-11-22]"), "cannot be written as JSON .*: put dates in quotes"),
        (yaml.safe_load("maximum: .inf"), "cannot be written as JSON"),
    ],
)
def test_an_unusable_schema_is_refused_with_what_is_wrong_and_the_remedy(
    tmp_path: Path, declared: object, told: str
) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match=f"^{told}"):
        schema_from(declared, tmp_path)


def test_a_schema_may_refer_to_its_own_parts_and_to_itself() -> None:
    validator = validator_of(Node.model_json_schema())
    assert validator.is_valid({"name": "a", "children": [{"name": "b"}]})
    assert not validator.is_valid({"name": "a", "children": [{}]})


def test_a_field_may_be_called_as_a_reference_is() -> None:
    assert validator_of({"properties": {"$ref": {"type": "string"}}}).is_valid({"$ref": "x"})


def test_a_schema_of_an_older_draft_is_read_by_its_own_rules() -> None:
    older = {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 5, "exclusiveMaximum": True}
    assert not validator_of(older).is_valid(5)
