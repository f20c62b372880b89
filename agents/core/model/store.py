"""ModelStore: which models the server has, as far as this process has seen, and how a missing one gets there."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import Final

import structlog

from agents.core.model.errors import ModelError, ModelNotFound, ModelPoolClosed
from agents.core.model.names import model_key, resolve_model
from agents.core.model.pull_steps import PullSteps
from agents.core.ollama_client import OllamaClient

log = structlog.get_logger(__name__)

FAILED_PULL_HOLDS: Final = 60.0
"""Seconds for which a failed pull answers for all that ask: a hundred tasks for a misspelt model make one pull."""


class ModelStore:
    """Nothing is asked in advance: a model is missing when the server says so, and installed once it has answered."""

    def __init__(
        self,
        client: OllamaClient,
        *,
        auto_pull: bool,
        cache_size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._auto_pull = auto_pull
        self._cache_size = cache_size
        self._clock = clock
        self._installed: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._pulls: dict[str, asyncio.Task[ModelError | None]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._finished: Counter[str] = Counter()
        self._steps: dict[str, PullSteps] = {}
        self.on_progress: Callable[[], object] = lambda: None
        """Called after each step of a pull, and at its end."""

    @property
    def pulling(self) -> dict[str, int]:
        """The models that are being pulled, with the percent that has come."""
        return {steps.model: steps.percent for steps in self._steps.values()}

    @property
    def installed(self) -> list[str]:
        """Full names of the models last seen at the server, sorted."""
        return sorted(self._installed.values())

    @property
    def used(self) -> list[str]:
        """The models used last, at most `cache_size`, the latest at the end."""
        return list(self._used.values())

    def note_used(self, model: str) -> None:
        """The model has answered, so it is installed."""
        key = model_key(model)
        self._installed.setdefault(key, resolve_model(model))
        self._used.pop(key, None)
        self._used[key] = resolve_model(model)
        while len(self._used) > self._cache_size:
            del self._used[next(iter(self._used))]

    async def refresh(self) -> list[str]:
        """Ask the server for its list.

        Raises:
            ModelError: it does not answer.
        """
        names = [str(model["name"]) for model in await self._client.tags() if "name" in model]
        self._installed = {model_key(name): resolve_model(name) for name in names}
        return self.installed

    def pulls(self, model: str) -> int:
        """How many pulls of a model have succeeded. Read before a request, it tells `obtain` what the request saw."""
        return self._finished[model_key(model)]

    def begin_pull(self, model: str) -> None:
        """Begin to pull a model that the server said it does not have, for those who ask later; wait for nothing."""
        key = model_key(model)
        self._forget(key)
        if self._auto_pull and self._recent_failure(key) is None:
            self._pull_once(key, model)

    async def obtain(self, model: str, seen: int) -> None:
        """Pull a model that the server said it does not have; once, however many ask.

        `seen` is `pulls(model)` from before the request that was refused: a pull that has ended since is enough.

        Raises:
            ModelNotFound: pulling is switched off, or failed.
            ModelPoolClosed: the store was closed meanwhile.
            ModelError: the server failed meanwhile.
        """
        key = model_key(model)
        if self._finished[key] != seen:
            return
        self._forget(key)
        if not self._auto_pull:
            raise ModelNotFound(model)
        if (reason := self._recent_failure(key)) is not None:
            raise ModelNotFound(model, reason)
        self._pull_once(key, model)
        failure = await _result_of(self._pulls[key])
        if failure is not None:
            raise failure.with_traceback(None)  # many may raise the same one

    async def close(self) -> None:
        """End the running pulls. The server goes on where it stopped when it is asked again."""
        tasks = list(self._pulls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _pull_once(self, key: str, model: str) -> None:
        if key not in self._pulls:
            # In a context of its own: it goes on, for others too, when the task that asked first is over.
            self._pulls[key] = asyncio.create_task(
                self._pull(key, resolve_model(model)), name=f"model-pull-{key}", context=Context()
            )

    async def _pull(self, key: str, model: str) -> ModelError | None:
        """Pull, and return the failure instead of raising it: nobody may be left to hear."""
        server = self._client.safe_url
        self._steps[key] = PullSteps(model, server, self.on_progress)
        log.info("model.pull_started", model=model, url=server)
        try:
            await self._client.pull(model, self._steps[key])
        except ModelError as exc:
            log.warning("model.pull_failed", model=model, url=server, code=exc.code, error=str(exc))
            if isinstance(exc, ModelNotFound):
                self._failed[key] = (self._clock() + FAILED_PULL_HOLDS, exc.reason)
            return exc
        finally:
            del self._pulls[key], self._steps[key]
            self.on_progress()
        log.info("model.pull_finished", model=model, url=server)
        self._installed[key] = model
        self._finished[key] += 1
        return None

    def _forget(self, key: str) -> None:
        self._installed.pop(key, None)
        self._used.pop(key, None)

    def _recent_failure(self, key: str) -> str | None:
        until, reason = self._failed.get(key, (0.0, ""))
        if reason and self._clock() < until:
            return reason
        self._failed.pop(key, None)
        return None


async def _result_of(pull: asyncio.Task[ModelError | None]) -> ModelError | None:
    """Wait for a pull that others may wait for too: whoever is cancelled here leaves it running."""
    await asyncio.wait([pull])
    if pull.cancelled():
        raise ModelPoolClosed("the pull was ended: this process is about to end")
    return pull.result()
