"""ModelUser: how an agent asks a model, for text or for an answer of a declared shape."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, overload

from pydantic import BaseModel

from agents.core.model.access import ModelAccess
from agents.core.model.errors import BadModelRequest
from agents.core.output.asking import REPAIRS, Wish
from agents.core.output.output import Output, OutputModel, output_of

Shape = TypeVar("Shape", bound=BaseModel | str)

Asked = type[Any] | Mapping[str, Any] | None
"""What a call may ask for: a pydantic class, a JSON Schema, `str` for text; None for what the agent declares."""


class ModelUser:
    """What every agent has for asking a model, and for saying what its answers look like."""

    needs_model: ClassVar[bool] = True
    """Whether an outage of the model server pauses this agent. Set it to False for one that asks no model."""

    output_model: OutputModel | None = None
    """What the result of a completed task is: a pydantic class, or a JSON Schema as a mapping; None leaves it open.

    The model is asked for it, its answer is checked and mended, and so is what `process_task` returns: `result` holds
    an object, never text that a reader would have to parse.
    """

    output_repairs: int = REPAIRS
    """How often the model may mend an answer that does not fit, before the task fails with `invalid_output`."""

    models: ModelAccess

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Check the class's own `output_model`, so that a bad one shows where it is written and not at a task."""
        super().__init_subclass__(**arguments)
        try:
            _output_or_none(cls.output_model)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{cls.__name__}.{error}") from None

    @overload
    async def query_ollama(
        self,
        prompt: str,
        model: str | None = ...,
        system: str | None = ...,
        *,
        output_model: None = ...,
        **options: Any,
    ) -> str: ...
    @overload
    async def query_ollama(
        self,
        prompt: str,
        model: str | None = ...,
        system: str | None = ...,
        *,
        output_model: type[Shape],
        **options: Any,
    ) -> Shape: ...
    @overload
    async def query_ollama(
        self,
        prompt: str,
        model: str | None = ...,
        system: str | None = ...,
        *,
        output_model: Mapping[str, Any],
        **options: Any,
    ) -> Any: ...
    async def query_ollama(
        self,
        prompt: str,
        model: str | None = None,
        system: str | None = None,
        *,
        output_model: Asked = None,
        **options: Any,
    ) -> Any:
        """Return a model's text for a prompt, in the priority of the task at hand.

        With `output_model` a pydantic class it returns an instance, with a JSON Schema the parsed answer. Without it,
        the text is JSON that fits what the agent declares, where it declares something; `str` asks for any text.

        Raises:
            InvalidOutput: the answer does not fit, after `output_repairs` further tries.
            ModelError: see agents/core/model/errors.py. Let it pass: the consumer knows what each means for the task.
        """
        answered = await self.models.generate(prompt, model, system, options, self._wish(output_model, options))
        return answered.text if output_model is None else answered.value

    @overload
    async def query_ollama_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str | None = ...,
        *,
        output_model: None = ...,
        **options: Any,
    ) -> str: ...
    @overload
    async def query_ollama_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str | None = ...,
        *,
        output_model: type[Shape],
        **options: Any,
    ) -> Shape: ...
    @overload
    async def query_ollama_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str | None = ...,
        *,
        output_model: Mapping[str, Any],
        **options: Any,
    ) -> Any: ...
    async def query_ollama_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str | None = None,
        *,
        output_model: Asked = None,
        **options: Any,
    ) -> Any:
        """Return a model's answer to a conversation of mappings with `role` and `content`; else as query_ollama."""
        answered = await self.models.chat(messages, model, options, self._wish(output_model, options))
        return answered.text if output_model is None else answered.value

    def query_ollama_sync(self, prompt: str, model: str | None = None) -> str:
        """Do what query_ollama does, for code in a thread or in a program without an event loop.

        Raises:
            RuntimeError: called in the event loop, which it would block.
        """
        return self.models.generate_sync(prompt, model, self._wish(None, {})).text

    @property
    def declared_output(self) -> Output | None:
        """What the agent's `output_model` says, ready for use.

        Raises:
            TypeError: it is neither a pydantic class nor a JSON Schema.
            ValueError: it is no valid JSON Schema.
        """
        return _output_or_none(self.output_model)

    def _wish(self, asked: Asked, options: Mapping[str, Any]) -> Wish | None:
        if asked is None:
            # A call that chooses a format of its own is not about the agent's answer.
            output = None if options.get("format") else self.declared_output
        elif options.get("format"):
            raise BadModelRequest(f"format={options['format']!r} and output_model say twice what to answer: give one")
        else:
            output = None if asked is str else output_of(asked)
        return None if output is None else Wish(output, self.output_repairs)


def _output_or_none(declared: OutputModel | None) -> Output | None:
    return None if declared is None else output_of(declared)
