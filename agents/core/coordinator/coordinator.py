"""Coordinator: registers the agents of one host and reports on them, as long as somebody is there to be told."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, Final, Self

import structlog

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.coordinator.beats import Beats, Visit, pauses
from agents.core.coordinator.client import Answer, CoordinatorClient, Reply
from agents.core.coordinator.messages import (
    COMPLETE,
    HEARTBEAT,
    REGISTER,
    completion,
    farewell,
    heartbeat,
    registration,
)
from agents.core.coordinator.outbox import Outbox
from agents.core.model.server_url import REMEDY
from agents.core.settings import Settings, SettingsError
from bus.ending import end_tasks
from schemas import TaskResult

log = structlog.get_logger(__name__)

CALLERS: Final = 4
"""Agents that are registered, or send their heartbeat, at once."""

TRIES: Final = 3
"""At a completion that the coordinator fails at while it answers everything else."""

LAST_SECONDS: Final = 1.0
"""What the last words of all agents may take together, and the completions that still wait."""

Health = Callable[[BaseAgentV2], Mapping[str, Any]]


class CoordinatorAway(Exception):
    """The coordinator does not answer; the text says why."""


class Coordinator:
    """Tells the coordinator what it wants to know, in a task of its own, at best effort. Used inside `async with`.

    Nobody waits for it but the end of the block, for `LAST_SECONDS` at most. A request that fails is judged by a
    witness, another agent's registration and heartbeat: where that succeeds, the request alone is at fault.
    """

    def __init__(
        self,
        client: CoordinatorClient,
        agents: Sequence[BaseAgentV2],
        health: Health,
        *,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`health` gives what an agent's heartbeat tells, `interval` the seconds between two of one agent."""
        self._client = client
        self._health = health
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._beats = Beats(agents, interval)
        self._witnesses = cycle(self._beats.visits)
        self._witness = next(self._witnesses)
        self._refused = set[str]()
        self._answers: bool | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.outbox = Outbox()

    async def __aenter__(self) -> Self:
        task = asyncio.create_task(self._run(), name="coordinator")
        task.add_done_callback(_note_end)
        self._tasks.append(task)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await end_tasks(self._tasks)
            if self._answers:
                await self._say_farewell()
        finally:
            await self._client.close()
            untold, dropped = len(self.outbox), self.outbox.dropped
            log.info("coordinator.left", url=self._client.safe_url, untold=untold, dropped=dropped)

    def completed(self, result: TaskResult) -> None:
        """Have a terminal result told, if that is possible before too many others wait."""
        self.outbox.put(completion(result))

    async def _run(self) -> None:
        reason = ""
        while True:
            await self._until_there(reason)
            try:
                # In a task of its own: on Python 3.11 a group whose child fails leaves its task counted as being
                # cancelled, and whoever ends this one would wait for that to have an effect.
                await asyncio.create_task(self._work(), name="coordinator:work")
            except* CoordinatorAway as away:
                reason = str(away.exceptions[0])
                self._beats.forget()

    async def _until_there(self, reason: str) -> None:
        waits = pauses(self._draw)
        if reason:
            self._note_absence(reason)
            await self._sleep(next(waits))
        while (witness := await self._ask_witness()).answer is Answer.AWAY:
            self._note_absence(witness.reason)
            await self._sleep(next(waits))
        self._answers = True
        self._refused.clear()
        log.info("coordinator.answers", url=self._client.safe_url, dropped=self.outbox.dropped)

    def _note_absence(self, reason: str) -> None:
        if self._answers is not False:
            self._answers = False
            log.warning("coordinator.silent", url=self._client.safe_url, reason=reason, effect="tasks go on")

    async def _ask_witness(self) -> Reply:
        visit = self._witness
        reply = await self._register(visit)
        if reply.answer is not Answer.AWAY:
            reply = await self._client.post(HEARTBEAT, self._heartbeat_of(visit))
        if reply.answer is Answer.AWAY:
            # It may be this agent alone that the coordinator fails at.
            self._witness = next(self._witnesses)
        return reply

    async def _work(self) -> None:
        """Register and report until the coordinator is away: raises a group of CoordinatorAway."""
        self._beats.begin(self._clock())
        async with asyncio.TaskGroup() as group:
            for number in range(min(CALLERS, len(self._beats.visits))):
                group.create_task(self._make_visits(), name=f"coordinator:visits:{number}")
            group.create_task(self._tell_completions(), name="coordinator:completions")

    async def _make_visits(self) -> None:
        while True:
            visit = self._beats.take()
            await self._sleep(max(0.0, visit.due - self._clock()))
            await self._visit(visit)
            self._beats.put_back(visit, self._clock())

    async def _visit(self, visit: Visit) -> None:
        if visit.is_registered:
            reply = await self._judged(await self._client.post(HEARTBEAT, self._heartbeat_of(visit)))
            if reply.answer is not Answer.UNKNOWN:
                self._note(HEARTBEAT, reply)
                return
        self._note(REGISTER, await self._judged(await self._register(visit)))

    async def _register(self, visit: Visit) -> Reply:
        reply = await self._client.post(REGISTER, registration(visit.agent))
        visit.is_registered = reply.answer is Answer.DONE
        return reply

    async def _tell_completions(self) -> None:
        while True:
            body = await self.outbox.first()
            self._take_out(body, await self._tell(body))

    def _take_out(self, body: bytes, reply: Reply) -> None:
        if reply.answer is Answer.DONE:
            self.outbox.sent(body)
        else:
            self.outbox.give_up(body)

    async def _tell(self, body: bytes) -> Reply:
        waits = pauses(self._draw)
        for _ in range(TRIES - 1):
            reply = await self._try_to_tell(body)
            if reply.answer is not Answer.AWAY:
                return reply
            await self._sleep(next(waits))
        return await self._try_to_tell(body)

    async def _try_to_tell(self, body: bytes) -> Reply:
        reply = await self._judged(await self._client.post(COMPLETE, body))
        self._note(COMPLETE, reply)
        return reply

    async def _judged(self, reply: Reply) -> Reply:
        """Return the reply where the coordinator is there.

        Raises:
            CoordinatorAway: it is not, by a witness.
        """
        if reply.answer is Answer.AWAY and (await self._ask_witness()).answer is Answer.AWAY:
            raise CoordinatorAway(reply.reason)
        return reply

    def _note(self, path: str, reply: Reply) -> None:
        if reply.answer is not Answer.DONE and path not in self._refused:
            self._refused.add(path)
            log.warning("coordinator.refuses", url=self._client.safe_url, path=path, reason=reply.reason)

    def _heartbeat_of(self, visit: Visit) -> bytes:
        return heartbeat(self._health_of(visit.agent))

    def _health_of(self, agent: BaseAgentV2) -> Mapping[str, Any]:
        try:
            return self._health(agent)
        except Exception:
            # An agent may bring a `health` of its own; its fault must not silence the others.
            log.exception("coordinator.health_failed", agent=agent.name)
            return {"agent_name": agent.name, "status": agent.status.value}

    async def _say_farewell(self) -> None:
        left = iter(self._beats.visits)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS), asyncio.TaskGroup() as group:
                group.create_task(self._empty_outbox(), name="coordinator:outbox")
                for number in range(CALLERS):
                    group.create_task(self._take_leave(left), name=f"coordinator:farewell:{number}")

    async def _take_leave(self, left: Iterator[Visit]) -> None:
        for visit in left:
            reply = await self._client.post(HEARTBEAT, farewell(self._health_of(visit.agent)))
            if reply.answer is Answer.AWAY:
                return

    async def _empty_outbox(self) -> None:
        while len(self.outbox):
            body = await self.outbox.first()
            reply = await self._client.post(COMPLETE, body)
            if reply.answer is Answer.AWAY:
                return
            self._take_out(body, reply)


def make_coordinator(settings: Settings, agents: Sequence[BaseAgentV2], health: Health) -> Coordinator | None:
    """Return the coordinator that the settings name, not yet told anything, or None where they name none.

    Raises:
        SettingsError: BACKEND_URL holds no http address.
    """
    if not settings.backend_url:
        return None
    try:
        client = CoordinatorClient(settings.backend_url)
    except ValueError:
        raise SettingsError(
            f"setting BACKEND_URL = ***: it is no http address: write it like http://backend:8000; {REMEDY}"
        ) from None
    return Coordinator(client, agents, health, interval=settings.heartbeat_interval)


def _note_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("coordinator.crashed", exc_info=error)
