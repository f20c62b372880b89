"""How one agent reaches a model: through its host's pool, or through one of its own for the length of a call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from agents.core.model.choice import ModelChoice
from agents.core.model.completion import Completion
from agents.core.model.overheard import overheard
from agents.core.model.pool import make_pool
from agents.core.model.requests import (
    CHAT_FIELDS,
    GENERATE_FIELDS,
    ChatRequest,
    GenerateRequest,
    ModelRequest,
    split_options,
)
from agents.core.model.task_scope import current_scope
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.output.asking import Answered, Wish, valid_answer
from agents.core.settings import Settings


class ModelAccess:
    """Asks models for an agent, in the priority and with the wishes of the task at hand."""

    def __init__(self, settings: Settings, choice: ModelChoice) -> None:
        self.choice = choice
        self._settings = settings
        self._pool: OllamaConnectionPool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, pool: OllamaConnectionPool | None) -> None:
        """Use a host's pool from now on, in the running event loop; None goes back to pools of one's own."""
        self._pool = pool
        self._loop = None if pool is None else asyncio.get_running_loop()

    @contextlib.asynccontextmanager
    async def opened_pool(self) -> AsyncIterator[OllamaConnectionPool]:
        """Give the host's pool, or an own one that lives for the block."""
        if self._pool is not None:
            yield self._pool
            return
        async with make_pool(self._settings) as pool:
            yield pool

    async def generate(
        self, prompt: str, model: str | None, system: str | None, options: Mapping[str, Any], wish: Wish | None = None
    ) -> Answered:
        """Return the answer to a prompt, one that fits where there is a wish. Raises ModelError."""
        fields, given = split_options(options, GENERATE_FIELDS)
        name, chosen = self._chosen(model, given)
        request = GenerateRequest(model=name, prompt=prompt, system=system, options=chosen, **fields)
        return await self._answer(request, wish)

    async def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str | None,
        options: Mapping[str, Any],
        wish: Wish | None = None,
    ) -> Answered:
        """Return the answer to a conversation, one that fits where there is a wish. Raises ModelError."""
        fields, given = split_options(options, CHAT_FIELDS)
        name, chosen = self._chosen(model, given)
        return await self._answer(ChatRequest(model=name, messages=messages, options=chosen, **fields), wish)

    def generate_sync(self, prompt: str, model: str | None, wish: Wish | None = None) -> Answered:
        """Return the answer to a prompt, blocking this thread.

        Within a task it ends with the task: a thread runs on when its task is cancelled or late, its request does not.

        Raises:
            RuntimeError: this thread runs an event loop, which would stand still.
            concurrent.futures.CancelledError: the task is over.
            ModelError: see model/errors.py.
        """
        if _runs_event_loop():
            raise RuntimeError("query_ollama_sync would block the event loop: use `await self.query_ollama(...)`")
        ask = partial(self.generate, prompt, model, None, {}, wish)
        if self._loop is None:
            return asyncio.run(ask())
        scope = current_scope()
        # The copy of this thread's context goes along, and with it the priority of the task at hand.
        asking = ask() if scope is None else scope.thread_calls.run(ask)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()

    def _chosen(self, model: str | None, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        scope = current_scope()
        return self.choice.for_call(scope.task if scope else None, model, options)

    async def _answer(self, request: ModelRequest, wish: Wish | None) -> Answered:
        if wish is not None:
            return await valid_answer(self._ask, request, wish)
        text = (await self._ask(request)).text
        return Answered(text, text)

    async def _ask(self, request: ModelRequest) -> Completion:
        async with self.opened_pool() as pool:
            if not self._settings.log_prompts:
                return await pool.complete(request)
            return await overheard(pool.complete, request)


def _runs_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
