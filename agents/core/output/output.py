"""Output: what an answer has to be, as a pydantic model or as a JSON Schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jsonschema.exceptions import ValidationError as SchemaViolation
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails, from_json, to_jsonable_python

from agents.core.output.fault import Fault, Unfit, path_of
from agents.core.output.schema import validator_of

OutputModel = type[BaseModel] | Mapping[str, Any]
"""What an agent may declare: a pydantic class, or a JSON Schema as a mapping."""


class Output(Protocol):
    """What an answer has to be."""

    @property
    def name(self) -> str:
        """How to call it in a sentence."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema that the model server gets."""

    def read(self, text: str) -> Any:
        """Return what a model's text says: an instance of the pydantic class, or the parsed JSON. Raises Unfit."""

    def plain(self, returned: object) -> Any:
        """Return what a handler returned as JSON has it; a text is read as JSON. Raises Unfit."""


def output_of(declared: object, attribute: str = "output_model") -> Output:
    """Return what an agent declares as its `attribute`, which should be an OutputModel.

    Raises:
        TypeError: it is neither a pydantic class nor a mapping, or the class has no JSON Schema.
        ValueError: the mapping is no usable JSON Schema.
    """
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return _of_class(declared, attribute)
    if isinstance(declared, Mapping) and declared:
        try:
            return SchemaOutput(declared, validator_of(declared), f"its {attribute}")
        except ValueError as error:
            raise ValueError(f"{attribute} {error}") from None
    raise TypeError(f"{attribute} is {declared!r}: give a class derived from pydantic.BaseModel, or a JSON Schema")


def _of_class(model: type[BaseModel], attribute: str) -> "ModelOutput":
    try:
        return ModelOutput(model, model.model_json_schema())
    except PydanticUserError as error:
        raise TypeError(f"{attribute} {model.__name__} has no JSON Schema: {error.message}") from None


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """An answer that is an instance of a pydantic class."""

    model: type[BaseModel]
    schema: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.model.__name__

    def read(self, text: str) -> BaseModel:
        """Return the instance that a text describes. Raises Unfit."""
        try:
            return self.model.model_validate_json(text)
        except ValidationError as error:
            raise _unfit(error) from error

    def plain(self, returned: object) -> Any:
        """Return an instance, its JSON, or the values of its fields as JSON has them. Raises Unfit."""
        return self._instance(returned).model_dump(mode="json")

    def _instance(self, returned: object) -> BaseModel:
        if isinstance(returned, str):
            return self.read(returned)
        if isinstance(returned, self.model):
            return returned
        try:
            return self.model.model_validate(returned.model_dump() if isinstance(returned, BaseModel) else returned)
        except ValidationError as error:
            raise _unfit(error) from error


@dataclass(frozen=True, slots=True)
class SchemaOutput:
    """An answer that is valid under a JSON Schema."""

    schema: Mapping[str, Any]
    validator: Validator
    untitled: str = "its output_model"
    """How to call it in a sentence where the schema has no title."""

    @property
    def name(self) -> str:
        """The title of the schema, if it has one."""
        return str(self.schema.get("title", self.untitled))

    def read(self, text: str) -> Any:
        """Return what a text says as JSON. Raises Unfit."""
        try:
            value = from_json(text, allow_inf_nan=False)
        except ValueError as error:
            raise Unfit([Fault("", f"Invalid JSON: {error}")], is_json=False) from error
        return self._checked(value)

    def plain(self, returned: object) -> Any:
        """Return a value, or what a text says, as JSON has it. Raises Unfit."""
        if isinstance(returned, str):
            return self.read(returned)
        try:
            value = to_jsonable_python(returned, inf_nan_mode="null")
        except ValueError as error:
            raise Unfit([Fault("", f"it cannot be written as JSON: {error}")]) from error
        return self._checked(value)

    def _checked(self, value: Any) -> Any:
        try:
            faults = [_of_violation(error) for error in self.validator.iter_errors(value)]
        except RecursionError:
            faults = [Fault("", "it is nested too deeply to be checked")]
        if faults:
            raise Unfit(sorted(faults, key=lambda fault: fault.path))
        return value


def _unfit(error: ValidationError) -> Unfit:
    details = error.errors(include_url=False, include_context=False)
    is_json = all(detail["type"] != "json_invalid" for detail in details)
    return Unfit([_of_detail(detail) for detail in details], is_json=is_json)


def _of_detail(detail: ErrorDetails) -> Fault:
    value = detail["input"]
    is_shown = bool(detail["loc"]) and isinstance(value, str | int | float | None)
    return Fault(path_of(detail["loc"]), f"{detail['msg']}, not {value!r}" if is_shown else detail["msg"])


def _of_violation(error: SchemaViolation) -> Fault:
    # Of "not valid under any of the given schemas", the likeliest reason says more.
    likeliest = best_match([error]) or error
    return Fault(path_of(likeliest.absolute_path), likeliest.message)
