"""What models are asked and what they answer, in the log: for who asks for it by the setting `log_prompts`."""

import json
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from agents.core.model.completion import Completion
from agents.core.model.requests import GenerateRequest, ModelRequest

log = structlog.get_logger(__name__)

SHOWN: Final = 1000
"""Characters of a text that a line tells."""


async def overheard(ask: Callable[[ModelRequest], Awaitable[Completion]], request: ModelRequest) -> Completion:
    """Ask, and log the question before and the answer after."""
    if isinstance(request, GenerateRequest):
        log.info("model.asked", prompt=_cut(request.prompt), system=_cut(request.system or "") or None)
    else:
        messages = json.dumps([dict(message) for message in request.messages], ensure_ascii=False, default=str)
        log.info("model.asked", messages=_cut(messages))
    completion = await ask(request)
    log.info("model.answered", model=completion.model, url=completion.server, answer=_cut(completion.text))
    return completion


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
