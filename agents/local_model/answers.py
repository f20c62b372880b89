"""Answers as lines of JSON, in the shapes of /api/generate and /api/chat."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from agents.local_model.details import rfc3339
from agents.local_model.generation import Finish, Part
from agents.local_model.replies import Line
from agents.local_model.wire import TextRequest

Wrap = Callable[[str], Line]
"""Puts a piece of text where the endpoint has it."""
Parts = AsyncGenerator[Part | Finish, None]


def as_response(text: str) -> Line:
    """Wrap text as /api/generate does."""
    return {"response": text}


def as_message(text: str) -> Line:
    """Wrap text as /api/chat does."""
    return {"message": {"role": "assistant", "content": text}}


async def stream_lines(asked: TextRequest, wrap: Wrap, parts: Parts) -> AsyncGenerator[Line, None]:
    """Yield one line for each part, and the final one; closing the generator closes `parts`."""
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Finish):
                yield final_line(asked.model, wrap, part.reason, rest=_closing_fields(asked, wrap, part))
            else:
                yield _part_line(asked.model, wrap, part)


async def whole_line(asked: TextRequest, wrap: Wrap, parts: Parts) -> Line:
    """Return the whole answer as one final line."""
    text, logprobs = "", list[Any]()
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Finish):
                rest = {"logprobs": logprobs, **_closing_fields(asked, wrap, part)}
                return final_line(asked.model, wrap, part.reason, text=text, rest=rest)
            text += part.text
            logprobs += part.logprobs
    raise AssertionError("generate() ended without a Finish")


def final_line(model: str, wrap: Wrap, reason: str, *, text: str = "", rest: Line | None = None) -> Line:
    """Write the last line of an answer, or the only one; fields of `rest` that are zero or empty are left out."""
    filled = {name: value for name, value in (rest or {}).items() if value}
    return {**_head(model), **wrap(text), "done": True, "done_reason": reason, **filled}


def _part_line(model: str, wrap: Wrap, part: Part) -> Line:
    line = {**_head(model), **wrap(part.text), "done": False}
    return {**line, "logprobs": part.logprobs} if part.logprobs else line


def _head(model: str) -> Line:
    return {"model": model, "created_at": rfc3339(time.time_ns())}


def _closing_fields(asked: TextRequest, wrap: Wrap, finish: Finish) -> Line:
    has_context = wrap is as_response and asked.raw_prompt is None
    return {"context": finish.context if has_context else (), **finish.metrics}
