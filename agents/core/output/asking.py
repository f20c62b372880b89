"""Asking a model until its answer fits, a bounded number of times."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from agents.core.model.completion import Completion
from agents.core.model.errors import InvalidOutput
from agents.core.model.requests import ModelRequest
from agents.core.model.task_scope import unheard
from agents.core.output.fault import Unfit
from agents.core.output.output import Output
from agents.core.output.repair import repaired

log = structlog.get_logger(__name__)

Ask = Callable[[ModelRequest], Awaitable[Completion]]

REPAIRS: Final = 2
"""Further tries at an answer that does not fit. Each costs a whole answer at the model, so there are few."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an answer has to be, and how often the model may try to mend it."""

    output: Output
    repairs: int = REPAIRS


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's text, and what it says; without a wish that is the text itself."""

    text: str
    value: Any


async def valid_answer(ask: Ask, request: ModelRequest, wish: Wish) -> Answered:
    """Ask for an answer under the wish's schema, and again while it does not fit.

    A task that streams shows its first answer alone: a repair begins anew, and what was shown cannot be taken back.

    Raises:
        InvalidOutput: it was cut short, or does not fit after the last repair.
        ModelError: see model/errors.py.
    """
    request = replace(request, format=wish.output.schema)
    completion, left = await ask(request), wish.repairs
    while True:
        try:
            return Answered(completion.text, wish.output.read(completion.text))
        except Unfit as error:
            unfit = error
        _give_up_if_hopeless(completion, unfit, wish, left)
        log.info("output.repairing", model=completion.model, faults=len(unfit.faults), repairs_left=left)
        with unheard():
            completion = await ask(repaired(request, completion.text, unfit.faults))
        left -= 1


def _give_up_if_hopeless(completion: Completion, unfit: Unfit, wish: Wish, left: int) -> None:
    if completion.done_reason == "length" and not unfit.is_json:
        raise InvalidOutput(
            f"the answer of {completion.model!r} was cut after {completion.usage.tokens_out} tokens, before its JSON "
            "was whole: raise max_tokens (and num_ctx, which holds prompt and answer), or ask for less"
        ) from unfit
    if left <= 0:
        tries = f"{wish.repairs} repair{'' if wish.repairs == 1 else 's'}"
        raise InvalidOutput(
            f"the answer of {completion.model!r} does not fit {wish.output.name} after {tries}: {unfit}; "
            "describe its fields in the prompt, or take a larger model",
            path=unfit.faults[0].path,
        ) from unfit
