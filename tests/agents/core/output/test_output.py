import json
from collections.abc import Callable
from datetime import date
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, field_validator

from agents.core.output.fault import Fault, Unfit
from agents.core.output.output import ModelOutput, Output, SchemaOutput, output_of
from tests.support.messages import values


class Item(BaseModel):
    name: str
    price: float = Field(ge=0)


class Bill(BaseModel):
    items: list[Item]
    due: date = date(2026, 11, 22)

    @field_validator("items")
    @classmethod
    def _has_some(cls, items: list[Item]) -> list[Item]:
        if not items:
            raise ValueError("a bill has items")
        return items


class Other(BaseModel):
    items: list[Item]


class Lazy(BaseModel):
    work: Callable[[], None]


class Anything(RootModel[Any]):
    pass


BILL = output_of(Bill)
SCHEMA = output_of(Bill.model_json_schema())
FIT = '{"items": [{"name": "pen", "price": 2}]}'
READ = {"items": [{"name": "pen", "price": 2.0}], "due": "2026-11-22"}


def faults_of(output: Output, text: str) -> tuple[Fault, ...]:
    with pytest.raises(Unfit) as raised:
        output.read(text)
    return raised.value.faults


def test_a_class_and_its_schema_are_named_and_told_alike() -> None:
    assert isinstance(BILL, ModelOutput)
    assert isinstance(SCHEMA, SchemaOutput)
    assert (BILL.name, SCHEMA.name, output_of({"type": "array"}).name) == ("Bill", "Bill", "its output_model")
    assert BILL.schema == SCHEMA.schema == Bill.model_json_schema()


def test_a_text_that_fits_is_read_as_an_instance_or_as_json() -> None:
    assert BILL.read(FIT) == Bill(items=[Item(name="pen", price=2)])
    assert SCHEMA.read(FIT) == json.loads(FIT)


@pytest.mark.parametrize("output", [BILL, SCHEMA], ids=["class", "schema"])
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"items": [{"name": "pen", "price": "two"}]}', "items.0.price"),
        ('{"items": [{"name": "pen", "price": 2}, {"name": "ink", "price": -1}]}', "items.1.price"),
        ('{"items": 3}', "items"),
    ],
)
def test_a_fault_tells_the_path_in_the_object(output: Output, text: str, path: str) -> None:
    (fault,) = faults_of(output, text)
    assert fault.path == path
    assert str(fault).startswith(f"{path}: ")


def test_a_fault_tells_the_value_where_it_is_short() -> None:
    assert str(faults_of(BILL, '{"items": [{"name": "pen", "price": "two"}]}')[0]) == (
        "items.0.price: Input should be a valid number, unable to parse string as a number, not 'two'"
    )
    assert str(faults_of(BILL, "{}")[0]) == "items: Field required"
    assert str(faults_of(BILL, '{"items": []}')[0]) == "items: Value error, a bill has items"
    assert str(faults_of(SCHEMA, "{}")[0]) == "'items' is a required property"


def test_of_a_choice_the_likeliest_fault_is_told() -> None:
    choice = output_of({"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 5}]}}})
    (fault,) = faults_of(choice, '{"a": 3}')
    assert (fault.path, fault.message) == ("a", "3 is less than the minimum of 5")


@pytest.mark.parametrize("output", [BILL, SCHEMA], ids=["class", "schema"])
@pytest.mark.parametrize("text", ["", "{", '{"items": [{"na', "A bill:", "[" * 100_000, f"{FIT} {FIT}"])
def test_what_is_no_json_is_told_as_such(output: Output, text: str) -> None:
    with pytest.raises(Unfit, match="Invalid JSON") as raised:
        output.read(text)
    assert not raised.value.is_json
    assert raised.value.faults[0].path == ""


def test_nan_is_no_json() -> None:
    with pytest.raises(Unfit, match="Invalid JSON"):
        output_of({"type": "number"}).read("NaN")


def test_a_schema_without_an_end_is_a_fault_of_the_answer_and_no_crash() -> None:
    endless = output_of({"$ref": "#"})
    assert faults_of(endless, "1") == (Fault("", "it is nested too deeply to be checked"),)


def test_few_faults_are_told_and_none_at_length() -> None:
    faults = faults_of(output_of({"items": {"type": "null"}}), json.dumps(["x" * 1_000] * 100))
    assert len(faults) == 5
    assert all(len(str(fault)) < 220 for fault in faults)


@pytest.mark.parametrize(
    ("returned", "plain"),
    [
        (FIT, READ),
        (Bill(items=[Item(name="pen", price=2)]), READ),
        ({"items": [{"name": "pen", "price": 2}]}, READ),
        ({"items": (Item(name="pen", price=2),), "due": date(2026, 11, 22)}, READ),
        (Other(items=[Item(name="pen", price=2)]), READ),
    ],
    ids=["text", "instance", "dict", "mixed", "another class"],
)
def test_what_a_handler_returns_becomes_json(returned: object, plain: object) -> None:
    assert BILL.plain(returned) == plain
    assert SCHEMA.plain(returned) in (plain, json.loads(FIT))


@pytest.mark.parametrize("output", [BILL, SCHEMA], ids=["class", "schema"])
@pytest.mark.parametrize("returned", ["words", {"items": 1}, [1], Item(name="pen", price=2), object()])
def test_what_a_handler_returns_has_to_fit(output: Output, returned: object) -> None:
    with pytest.raises(Unfit):
        output.plain(returned)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (7, "output_model is 7: give a class derived from pydantic.BaseModel, or a JSON Schema"),
        (dict, "output_model is <class 'dict'>: give a class"),
        ({}, r"output_model is \{\}: give a class"),
        (Enum, "output_model is <enum 'Enum'>: give a class"),
        (Lazy, "output_model Lazy has no JSON Schema: Cannot generate a JsonSchema"),
    ],
)
def test_a_declaration_of_the_wrong_kind_is_refused(declared: object, told: str) -> None:
    with pytest.raises(TypeError, match=f"^{told}"):
        output_of(declared)


def test_a_declared_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^output_model is no valid JSON Schema at type: 'text'"):
        output_of({"type": "text"})


@given(values)
def test_whatever_is_valid_json_is_read_as_it_is_where_anything_goes(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert output_of({"title": "Anything"}).read(text) == value
    assert output_of(Anything).plain(text) == value


@given(st.text())
def test_any_text_at_all_fits_or_is_refused_with_a_reason(text: str) -> None:
    for output in (BILL, SCHEMA):
        with pytest.raises(Unfit) as raised:
            output.read(text)
        assert str(raised.value)
