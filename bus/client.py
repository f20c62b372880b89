"""What a program uses: submit tasks, ask for an answer, listen to results, events and reports."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from bus import codec
from bus.broker import Broker
from bus.envelope import repeated
from bus.errors import BusError, InvalidTask, UnknownAgent
from bus.listener import Listener
from bus.orders import say
from bus.result_log import SeenTasks, moment_of, read_from, result_of
from bus.routing_keys import REPORTS_WANTED, filter_keys
from bus.spans import submitting
from bus.task_stream import TaskStream, no_result
from bus.topology import Topology
from bus.tracing import carrying
from schemas import (
    CancelTask,
    EventKind,
    Priority,
    Report,
    ReportKind,
    ReportRequest,
    TaskEvent,
    TaskMessage,
    TaskResult,
    TaskStatus,
)
from schemas.faults import first_fault


class Client:
    """A program's side of the bus. The broker is connected by the caller, who owns it.

    One client may be used from many tasks. Nothing here waits for ever: publishing has a timeout, asking too.
    """

    def __init__(self, broker: Broker, topology: Topology | None = None) -> None:
        self.broker = broker
        self.topology = topology or Topology()
        self._known: set[str] = set()

    async def submit(
        self, agent: str, prompt: str | None = None, *, priority: int | str = Priority.NORMAL, **fields: Any
    ) -> TaskMessage:
        """Publish a task and return it as sent; its `id` is what results and events carry.

        `fields` are those of `TaskMessage`: data, timeout, stream, model, options, metadata and so on.

        Raises:
            InvalidTask: a field is invalid, or a key of `retry` is unknown. It is a ValueError.
            UnknownAgent: nobody has ever started this agent here.
            QueueFull: too many tasks wait for it already.
            PublishTimeout: the broker did not confirm; it is away or blocked.
        """
        task = _task_of(agent, prompt, priority, **fields)
        await self.send(task)
        return task

    async def send(
        self,
        task: TaskMessage,
        *,
        reply_to: str | None = None,
        correlation_id: str | None = None,
        again: bool = False,
    ) -> None:
        """Publish a task that is made already; `reply_to` names a queue that gets the result as well.

        `correlation_id` tells one asking for a task from another one; without it, the result bears the task's id.

        `again`: it was sent before, and nobody knows whether it has arrived, as after a PublishTimeout. A second result
        that comes of it is then marked as `redelivered`.
        """
        _must_have_known_rules(task)
        await self._must_know(task.agent)
        plain = codec.encode_task(task, reply_to=reply_to, correlation_id=correlation_id)
        with submitting(self.topology, task, plain):
            message = carrying(plain)
            second = repeated(message)
            await self.broker.publish(self.topology.tasks, task.agent, second if again else message, again=second)

    async def cancel(self, task_id: str, *, agent: str | None = None, reason: str | None = None) -> None:
        """Say that nobody wants a task any more. It ends as `cancelled`: at once if it runs, else when it is delivered.

        A task that has its result already keeps it, unless a crash has it delivered again. `agent` spares the hosts of
        other agents the message. Hosts that start within a day hear of it too, where the broker has streams.

        Raises:
            InvalidTask: the id is no task's, or the agent's name no agent's.
            UnknownAgent: nobody has ever started `agent` here.
            TopologyError: no host has ever started here.
        """
        with _told_in_one_sentence():
            control = CancelTask(task_id=task_id, agent=agent, reason=reason)
        if agent is not None:
            await self._must_know(agent)
        await say(self.broker, self.topology, control)

    async def ask(
        self,
        agent: str,
        prompt: str | None = None,
        *,
        priority: int | str = Priority.NORMAL,
        timeout: float = 300.0,
        **fields: Any,
    ) -> TaskResult:
        """Submit a task and wait for its terminal result, whatever its status. `timeout` is in seconds.

        Raises:
            ReplyTimeout: no result in time; the task goes on. Give it a `deadline` to end it as well.
        """
        task = _task_of(agent, prompt, priority, **fields)
        return await self.wait_for(task, timeout=timeout)

    async def wait_for(self, task: TaskMessage, *, timeout: float = 300.0) -> TaskResult:
        """Publish a task that is made already and wait for its terminal result; otherwise as `ask`."""
        await self._must_know(task.agent)
        async with self.replies() as replies:
            await self.send(task, reply_to=replies.queue)
            try:
                async with asyncio.timeout(timeout):
                    return await self._result_of(task.id, replies)
            except TimeoutError as error:
                raise no_result(task, timeout) from error

    def stream(
        self,
        agent: str,
        prompt: str | None = None,
        *,
        priority: int | str = Priority.NORMAL,
        timeout: float = 300.0,
        **fields: Any,
    ) -> AbstractAsyncContextManager[TaskStream]:
        """Submit a task and read its answer as it is written.

            async with client.stream("senior-engineer", "What is a mutex?") as stream:
                async for text in stream:
                    print(text, end="", flush=True)
                result = await stream.result()

        A retry begins the text anew, and pieces may be lost on the way: `stream.steps()` tells both, and the result
        holds the whole. An agent that asks no model writes its text in one piece, if that is its result. Who leaves
        the block early leaves the task running: `cancel` ends it. `timeout` is in seconds, up to the result. Errors
        come as from `submit` and `ask`.
        """
        task = _task_of(agent, prompt, priority, stream=True, **fields)
        return self.watch(task, timeout=timeout)

    @contextlib.asynccontextmanager
    async def watch(self, task: TaskMessage, *, timeout: float = 300.0) -> AsyncIterator[TaskStream]:
        """Publish a task that is made already and follow it, as `stream` does.

        Without `task.stream` its text comes in one piece, once it is done.
        """
        await self._must_know(task.agent)
        # One queue for both: the result comes behind the pieces. It is there first, so nothing is missed.
        keys, exchange = (f"{task.agent}.*.{task.id}",), self.topology.events
        async with Listener(
            self.broker, self.topology, "replies", codec.decode_news, exchange=exchange, keys=keys
        ) as listener:
            await self.send(task, reply_to=listener.queue)
            stream = TaskStream(task, listener.next, timeout)
            try:
                yield stream
            finally:
                stream.close()

    def replies(self) -> Listener[TaskResult]:
        """Return a queue for replies: send tasks with `reply_to=replies.queue` and read their results from it."""
        return Listener(self.broker, self.topology, "replies", codec.decode_result)

    @contextlib.asynccontextmanager
    async def results(
        self, *, agent: str | None = None, status: TaskStatus | None = None
    ) -> AsyncIterator[AsyncIterator[TaskResult]]:
        """Listen to terminal results from now on: `async with client.results() as results: async for r in results`.

        A second result of a task, as a crash between confirm and ack makes it, is dropped.
        """
        keys = filter_keys(agent, status)
        exchange = self.topology.results
        listener = Listener(self.broker, self.topology, "results", codec.decode_result, exchange=exchange, keys=keys)
        async with listener:
            yield _without_duplicates(listener)

    def replay(
        self, since: datetime | timedelta | float, *, agent: str | None = None, status: TaskStatus | None = None
    ) -> AsyncGenerator[TaskResult, None]:
        """Iterate over the terminal results of the past, in order, up to what was confirmed before the first step.

        `since` is a time with its zone, or a timedelta or seconds ago; RabbitMQ keeps seven days. A second result of a
        task is dropped, an unreadable one passed over and logged. Who leaves early closes it: `contextlib.aclosing`.

        Raises:
            ValueError: `since` has no time zone or is negative.
            LogUnavailable: at the first step; nobody has declared the log, or streams are turned off on the broker.
        """
        return self._replayed(moment_of(since, datetime.now(UTC)), agent, status)

    @contextlib.asynccontextmanager
    async def events(
        self, *, agent: str | None = None, kind: EventKind | None = None, task_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[TaskEvent]]:
        """Listen to what happens to tasks before their results, from now on."""
        # A task id may hold dots, so only "#" takes them all.
        keys = (f"{agent or '*'}.{kind or '*'}.{task_id or '#'}",)
        exchange = self.topology.events
        async with Listener(
            self.broker, self.topology, "events", codec.decode_event, exchange=exchange, keys=keys
        ) as listener:
            yield aiter(listener)

    @contextlib.asynccontextmanager
    async def reports(self, *, kind: ReportKind | None = None) -> AsyncIterator[AsyncIterator[Report]]:
        """Listen to the state of breakers, pools, agents and hosts, from now on.

        It asks all hosts for their reports, so that it has the whole picture within two seconds.
        """
        keys, exchange = filter_keys(None, kind), self.topology.metrics
        async with Listener(
            self.broker, self.topology, "metrics", codec.decode_report, exchange=exchange, keys=keys
        ) as listener:
            self.broker.announce(self.topology.control, REPORTS_WANTED, codec.encode_control(ReportRequest()))
            yield aiter(listener)

    async def _replayed(
        self, since: datetime, agent: str | None, status: TaskStatus | None
    ) -> AsyncGenerator[TaskResult, None]:
        seen = SeenTasks()
        # A log that is left early holds a channel until it is closed.
        async with contextlib.aclosing(self.broker.read_log(self.topology.results_log, read_from(since))) as messages:
            async for message in messages:
                result = result_of(message)
                if result is not None and _is_wanted(result, since, agent, status) and seen.remember(result):
                    yield result

    async def _must_know(self, agent: str) -> None:
        # A task for an agent that nobody declared is routed too: to the unrouted queue, where it would wait in vain.
        if agent in self._known:
            return
        if await self.broker.queue_info(self.topology.task_queue(agent)) is None:
            raise UnknownAgent(agent)
        self._known.add(agent)

    async def _result_of(self, task_id: str, results: Listener[TaskResult]) -> TaskResult:
        async for result in results:
            if result.task_id == task_id:
                return result
        raise BusError("the listener for replies was closed")


def _task_of(agent: str, prompt: str | None, priority: int | str, **fields: Any) -> TaskMessage:
    with _told_in_one_sentence():
        return TaskMessage(agent=agent, prompt=prompt, priority=priority, **fields)


def _must_have_known_rules(task: TaskMessage) -> None:
    try:
        if task.retry is not None:
            task.retry.must_be_known()
    except ValueError as error:
        raise InvalidTask(str(error)) from None


@contextlib.contextmanager
def _told_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise InvalidTask(first_fault(error)) from None


def _is_wanted(result: TaskResult, since: datetime, agent: str | None, status: TaskStatus | None) -> bool:
    return result.timestamp >= since and agent in (None, result.agent) and status in (None, result.status)


async def _without_duplicates(results: Listener[TaskResult]) -> AsyncIterator[TaskResult]:
    seen = SeenTasks()
    async for result in results:
        if seen.remember(result):
            yield result
