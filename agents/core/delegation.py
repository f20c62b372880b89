"""Delegation: how an agent at work asks another one over the bus, and waits without a place in its host."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Self

import structlog

from agents.core.delegation_rules import DelegationFailed, DelegationRefused, child_id, child_of, content_of
from agents.core.model.task_scope import TaskScope, current_scope
from agents.core.standstill import Standstills
from bus.attempt import Attempt
from bus.client import Client
from bus.ending import end_tasks
from bus.endings import LOOK_BACK, Endings
from bus.errors import BusError, InvalidTask, RetryableError
from bus.reply_box import ReplyBox
from bus.task_publisher import marked
from schemas import TaskMessage, TaskResult, TaskStatus, now

log = structlog.get_logger(__name__)

CANCEL_SECONDS: Final = 5.0
"""What saying that nobody wants a child any more may take at the end of a host."""


class Delegation:
    """What the agents of one host ask other agents with. Used inside `async with`."""

    def __init__(self, client: Client, agents: "Sequence[Delegating]" = ()) -> None:
        """`agents` use it within the block."""
        self.client = client
        self._agents = agents
        self._box = ReplyBox(client)
        self._standstills = Standstills(client)
        self._endings = Endings(client.broker, client.topology)
        self._cancelling: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._box.__aenter__()
        self._lend(self)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._lend(None)
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=CANCEL_SECONDS)
            await end_tasks(self._cancelling)
        await self._box.__aexit__(*exc_info)

    async def ask(self, scope: TaskScope, agent: str, fields: Mapping[str, Any]) -> TaskResult:
        """Give `agent` a task, a child of the one at hand, and return its result once it has completed.

        The same question of a later attempt has the same id: it joins a child that still runs, and gets the answer of
        one that has completed. One that ended badly before this attempt is done anew.

        Raises:
            DelegationRefused: it is no task, or would close a circle.
            DelegationFailed: it ended in another way.
            RetryableError: it could not be sent.
        """
        parent, attempt = scope.task, scope.attempt
        assert parent is not None  # noqa: S101 - `BaseAgentV2.handle` sets both
        assert attempt is not None  # noqa: S101 - the same
        child = child_of(parent, agent, fields, now())
        content = content_of(child)
        occurrence = scope.delegated[content]
        scope.delegated[content] += 1
        repetition = 0
        while True:
            known_by = {"id": child_id(parent, content, occurrence, repetition)}
            # Cut off at the parent's limit, it is no fault of the parent where nobody works on such tasks.
            with scope.calling(partial(self._standstills.has, agent)):
                result = await self._result_of(child.model_copy(update=known_by), parent, attempt)
            if result.status is TaskStatus.COMPLETED:
                return result
            # Marked: the answer to an earlier asking, which may have failed in passing. Each attempt asks once more.
            if not (result.redelivered and repetition + 1 < attempt.number):
                raise DelegationFailed(result)
            repetition += 1

    def _lend(self, delegation: "Delegation | None") -> None:
        for agent in self._agents:
            agent.use_delegation(delegation)

    async def _result_of(self, child: TaskMessage, parent: TaskMessage, attempt: Attempt) -> TaskResult:
        log.info("task.delegated", child=child.id, to=child.agent)
        is_second = attempt.redelivered or attempt.number > 1
        try:
            with attempt.elsewhere():
                told = await self._earlier_result(child, parent) if is_second else None
                return told or await self._box.ask(child, again=is_second)
        except InvalidTask as error:
            raise DelegationRefused(f"agent {child.agent!r} cannot be asked: {error}") from None
        except BusError as error:
            raise RetryableError(f"agent {child.agent!r} could not be asked: {error}") from error
        except asyncio.CancelledError:
            # An attempt that comes again wants the answer still.
            if not attempt.comes_again:
                self._cancel(child)
            raise

    async def _earlier_result(self, child: TaskMessage, parent: TaskMessage) -> TaskResult | None:
        """Return the marked result that a child has had already: the host that worked on it may have been lost."""
        result = await self._endings.find(child, max(parent.created_at, now() - LOOK_BACK))
        return None if result is None else marked(result)

    def _cancel(self, child: TaskMessage) -> None:
        task = asyncio.create_task(self._say_unwanted(child), name=f"cancel:{child.id}")
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)

    async def _say_unwanted(self, child: TaskMessage) -> None:
        try:
            await self.client.cancel(
                child.id, agent=child.agent, reason=f"task {child.parent_id} does not wait for it any more"
            )
        except BusError as error:
            log.warning("delegation.not_cancelled", child=child.id, to=child.agent, reason=str(error))


class Delegating:
    """What every agent has for asking others."""

    name: str
    _delegation: Delegation | None = None

    @property
    def bus(self) -> Client:
        """The host's own client, for submitting tasks, and for listening.

        Raises:
            RuntimeError: no host runs this agent.
        """
        return self._hosted().client

    def use_delegation(self, delegation: Delegation | None) -> None:
        """Ask other agents by way of a host, or of none any more; the host comes through here."""
        self._delegation = delegation

    async def delegate(
        self,
        agent: str,
        prompt: str | None = None,
        *,
        data: Any = None,
        priority: int | str | None = None,
        timeout: float | None = None,
        **fields: Any,
    ) -> TaskResult:
        """Have another agent do a part of the task at hand, and return its completed result.

        The child has this task's id as `parent_id`, its priority unless another is given, and its deadline, or
        `timeout` seconds if those end sooner. `fields` are others of `TaskMessage`: type, model, options, metadata,
        max_attempts and so on. It is cancelled with this task, and when the wait for it is cancelled. Waiting takes no
        slot at the model and none of the places that the host has for tasks (`max_held`), but it takes one of this
        agent's `max_concurrent_tasks`.

        Where this task is worked on again, after an error or on another host, an equal question is the same child: it
        is not done twice, but it is done anew if it ended badly.

        Raises:
            DelegationFailed: it did not complete; `.result` is its result. Unless it is caught, this task fails too.
            DelegationRefused: it is no valid task, or the agent waits for this one itself. This task fails too.
            RetryableError: it could not be sent, as to an agent that nobody has started yet.
            RuntimeError: not called within `process_task`, or no host runs this agent.
        """
        scope = current_scope()
        if scope is None or scope.attempt is None:
            raise RuntimeError("delegate works within process_task: elsewhere, `await self.bus.ask(...)` asks an agent")
        asked = {**fields, "prompt": prompt, "data": data, "priority": priority, "timeout": timeout}
        return await self._hosted().ask(scope, agent, asked)

    def _hosted(self) -> Delegation:
        if self._delegation is None:
            raise RuntimeError(
                f"agent {self.name!r} has no bus: a host has to run it (`run()`, `sutazai run`, or "
                "`async with Host([agent], settings)` in a test, where memory:// needs no broker)"
            )
        return self._delegation
