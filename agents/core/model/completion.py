"""Completion: a whole answer of a model, and Answer, which grows into one line by line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

from agents.core.model.errors import IncompleteStream, ModelServerError
from agents.core.model.replies import error_in_stream
from schemas import Usage

NANOSECOND: Final = 1e-9
"""All durations of the API are whole nanoseconds; fields that are zero are left out."""

Nanoseconds = Annotated[int, Field(ge=0, lt=2**63)]
Tokens = Annotated[int, Field(ge=0, lt=2**31)]
"""Of one answer. More than that is no answer of a model, and its sum would be too large for a report."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. `done_reason` is `stop`, `length` (cut at num_predict or the context), `load` or `unload`."""

    text: str
    model: str
    done_reason: str | None
    usage: Usage
    created: datetime | None = None
    thinking: str = ""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    server: str = ""
    """The address of the server that answered, without credentials."""

    @property
    def message(self) -> dict[str, Any]:
        """The answer as a message, to be added to a conversation."""
        thinking = {"thinking": self.thinking} if self.thinking else {}
        calls = {"tool_calls": [dict(call) for call in self.tool_calls]} if self.tool_calls else {}
        return {"role": "assistant", "content": self.text} | thinking | calls


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each input, in order, each of length 1 (L2) unless the older endpoint made it."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    usage: Usage
    server: str = ""
    """The address of the server that answered, without credentials."""


class _Message(BaseModel):
    content: str = ""
    thinking: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()


class ReplyLine(BaseModel):
    """One object of an answer, of `/api/generate`, `/api/chat`, `/api/embed` and `/api/embeddings` alike."""

    error: str | None = None
    created_at: datetime | None = None
    response: str = ""
    thinking: str = ""
    message: _Message = _Message()
    embeddings: tuple[tuple[float, ...], ...] = ()
    embedding: tuple[float, ...] = ()
    done: bool = False
    done_reason: str | None = None
    load_duration: Nanoseconds = 0
    prompt_eval_duration: Nanoseconds = 0
    eval_duration: Nanoseconds = 0
    prompt_eval_count: Tokens = 0
    eval_count: Tokens = 0

    def usage(self) -> Usage:
        """Return what the request cost, as the last line tells it."""
        return Usage(
            load_time=self.load_duration * NANOSECOND,
            prompt_time=self.prompt_eval_duration * NANOSECOND,
            generation_time=self.eval_duration * NANOSECOND,
            tokens_in=self.prompt_eval_count,
            tokens_out=self.eval_count,
            model_calls=1,
        )


def read_line(line: Mapping[str, Any]) -> ReplyLine:
    """Check one object of an answer.

    Raises:
        ModelServerError: it has another shape than the API's.
        ModelError: it is an error line; which error, see `error_in_stream`.
    """
    try:
        reply = ReplyLine.model_validate(line)
    except ValidationError as exc:
        raise ModelServerError(f"the model server's answer has an unknown shape: {exc.errors()[0]['msg']}") from exc
    if reply.error is not None:
        raise error_in_stream(reply.error)
    return reply


@dataclass(slots=True)
class Answer:
    """What has come of an answer so far. `server` is the address of who gives it."""

    model: str
    server: str = ""
    _texts: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _calls: list[dict[str, Any]] = field(default_factory=list)
    _last: ReplyLine | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the first line has come: the model is loaded and has read the prompt."""
        return self._last is not None

    @property
    def is_done(self) -> bool:
        """Whether the line with `done: true` has come."""
        return self._last is not None and self._last.done

    def add(self, line: Mapping[str, Any]) -> str:
        """Take the next line and return its piece of answer text, which may be empty.

        Raises:
            ModelError: as `read_line`.
        """
        reply = self._last = read_line(line)
        text = reply.response + reply.message.content
        self._texts.append(text)
        self._thoughts.append(reply.thinking + reply.message.thinking)
        self._calls.extend(reply.message.tool_calls)
        return text

    def completion(self) -> Completion:
        """Return the whole answer.

        Raises:
            IncompleteStream: no line said `done: true`. Ollama ends a stream so when it stops a repeating model.
        """
        if self._last is None or not self._last.done:
            characters = sum(map(len, self._texts))
            raise IncompleteStream(f"the answer of {self.model!r} ended unfinished after {characters} characters")
        return Completion(
            text="".join(self._texts),
            model=self.model,
            done_reason=self._last.done_reason,
            usage=self._last.usage(),
            created=self._last.created_at,
            thinking="".join(self._thoughts),
            tool_calls=tuple(self._calls),
            server=self.server,
        )
