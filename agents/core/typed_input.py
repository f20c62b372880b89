"""TypedInput: what an agent wants to be given, checked before its work begins."""

from typing import Any

from pydantic_core import to_json

from agents.core.output.fault import Unfit
from agents.core.output.output import Output, OutputModel, output_of
from bus.errors import RejectedError
from schemas import TaskMessage


class InvalidInput(RejectedError):
    """A task does not bring what its agent's `input_model` says. The text names field, value and remedy."""

    code = "invalid_input"


class TypedInput:
    """What every agent has for saying what its tasks bring, and for reading it."""

    input_model: OutputModel | None = None
    """What a task brings: a pydantic class, or a JSON Schema as a mapping; None leaves it open.

    It is the task's `data`, or, where there is none, its prompt read as JSON. A task that does not fit is answered with
    a `rejected` result before `process_task` sees it. In there, `self.input_of(task)` reads it.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Check the class's own `input_model`, so that a bad one shows where it is written and not at a task."""
        super().__init_subclass__(**arguments)
        try:
            _input_or_none(cls.input_model)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{cls.__name__}.{error}") from None

    def input_of(self, task: TaskMessage) -> Any:
        """Return what a task brings: a new instance of the pydantic class, or the value that the schema describes.

            ticket: Ticket = self.input_of(task)

        Raises:
            InvalidInput: it does not fit.
            TypeError: the agent declares no `input_model`.
        """
        declared = _input_or_none(self.input_model)
        if declared is None:
            raise TypeError(f"{type(self).__name__} has no input_model: declare one, or read task.data")
        source = "prompt" if task.data is None else "data"
        text = (task.prompt or "") if task.data is None else to_json(task.data).decode()
        try:
            return declared.read(text)
        except Unfit as unfit:
            raise InvalidInput(_sentence(source, declared, unfit)) from None

    def must_fit(self, task: TaskMessage) -> None:
        """Refuse a task that does not bring what the agent wants; the host's consumer comes through here.

        Raises:
            InvalidInput: it does not fit.
        """
        if self.input_model is not None:
            self.input_of(task)


def _sentence(source: str, declared: Output, unfit: Unfit) -> str:
    if source == "prompt" and not unfit.is_json:
        return f"the task has no data, and its prompt is no JSON: give {declared.name} as data"
    return f"the task's {source} does not fit {declared.name}: {unfit}; give what the agent's input_model says"


def _input_or_none(declared: OutputModel | None) -> Output | None:
    return None if declared is None else output_of(declared, "input_model")
