"""Hooks: what the agents of a host do once before their first task and once after their last one."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, Self

import structlog

from bus.retry import is_on_purpose, written_text

log = structlog.get_logger(__name__)

LEAST_STOP_SECONDS: Final = 5.0
"""What all `on_stop` get even where no grace period is left."""

UNWILLING_SECONDS: Final = 2.0
"""What a hook gets to end once it is cancelled; the host does not wait for it any longer than that."""


class StartFailed(Exception):
    """An agent's `on_start` failed, so its host does not start. The text names the agent and the reason."""


class Hooked(Protocol):
    """An agent, as far as its hooks go."""

    @property
    def name(self) -> str:
        """The agent's name."""

    async def on_start(self) -> None:
        """Run before the first task."""

    async def on_stop(self) -> None:
        """Run after the last task."""


class Hooks:
    """The hooks of one host's agents, all at the same time, each called once. Used inside `async with`.

    Entering it raises StartFailed if one `on_start` raises or is not done in time; the others are cancelled. All
    `on_stop` run however the start ends.
    """

    def __init__(self, agents: Sequence[Hooked], start_seconds: float) -> None:
        self._agents = agents
        self._start_seconds = start_seconds
        self._grace_until = float("-inf")

    async def __aenter__(self) -> Self:
        try:
            await self._start(self._start_seconds)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        left = self._grace_until - asyncio.get_running_loop().time()
        await self._stop(max(left, LEAST_STOP_SECONDS))

    def allow(self, grace: float) -> None:
        """Note that a stop was asked for: what is left of `grace` seconds after it may be used up by `on_stop`."""
        self._grace_until = asyncio.get_running_loop().time() + grace

    async def _start(self, seconds: float) -> None:
        running = {_called(agent.name, agent.on_start): agent for agent in self._agents}
        try:
            await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            _must_be_done(running, seconds)
        finally:
            await _end(running)

    async def _stop(self, seconds: float) -> None:
        # What one raises is logged, and keeps nobody from stopping.
        running = {_called(agent.name, agent.on_stop): agent for agent in self._agents}
        try:
            _, late = await asyncio.wait(running, timeout=seconds)
        finally:
            await _end(running)
        for task in late:
            log.error(
                "agent.stop_failed", agent=running[task].name, reason=f"on_stop was not done within {seconds:g} s"
            )
        for task, agent in running.items():
            if task not in late and (error := _error_of(task)) is not None:
                log.error("agent.stop_failed", agent=agent.name, reason=_told(error), exc_info=error)


def _called(name: str, hook: Callable[[], object]) -> asyncio.Task[None]:
    async def call() -> None:
        returned = hook()
        if not inspect.isawaitable(returned):
            raise TypeError(f"{hook.__name__} is not async: write `async def {hook.__name__}(self)`")
        await returned

    return asyncio.create_task(call(), name=f"{hook.__name__}:{name}")


def _must_be_done(running: Mapping[asyncio.Task[None], Hooked], seconds: float) -> None:
    for task, agent in running.items():
        if task.done() and (error := _error_of(task)) is not None:
            shown = None if is_on_purpose(error) else error
            log.error("agent.start_failed", agent=agent.name, reason=_told(error), exc_info=shown)
            raise StartFailed(f"agent {agent.name!r} did not start: its on_start raised {_told(error)}") from error
    for task, agent in running.items():
        if not task.done():
            raise StartFailed(
                f"agent {agent.name!r} did not start: its on_start was not done within {seconds:g} s; raise "
                "SUTAZAI_START_TIMEOUT if it needs longer"
            ) from TimeoutError()


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return RuntimeError("its own cancellation") if task.cancelled() else task.exception()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {written_text(error)}"


async def _end(tasks: Mapping[asyncio.Task[None], Hooked]) -> None:
    for task in tasks:
        task.cancel()
    done, _ = await asyncio.wait(tasks, timeout=UNWILLING_SECONDS)
    for task in done:
        _ = _error_of(task)  # looked at, or asyncio complains of it
