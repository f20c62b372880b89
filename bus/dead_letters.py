"""Dead letters and unrouted tasks: looked at, done again, and thrown away."""

import contextlib
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, replace

from bus.broker import Broker
from bus.codec import receive_task
from bus.envelope import repeated
from bus.errors import QueueFull
from bus.letter import UNROUTED, Choice, DeadLetter, dead_letter_of, unrouted_letter_of
from bus.message import Delivery
from bus.replay import letter_id, next_id, replay_copy
from bus.task_publisher import TaskPublisher
from bus.topology import Topology
from schemas import AGENT_NAME_PATTERN, TaskError, TaskResult, TaskStatus, now

EVERYTHING = Choice()


@dataclass(frozen=True, slots=True)
class Replayed:
    """A letter that was published again and then removed; `task_id` is the one that the task has now."""

    letter: DeadLetter
    task_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter that stays where it is, since its agent is not known to the broker."""

    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Spared:
    """A letter that stays where it is, since the choice leaves out its reason."""

    letter: DeadLetter


class DeadLetters:
    """The dead letters of some agents, and the tasks that reached no agent.

    All methods are async generators that do their work while they are read, one letter after the other; leave them
    with `contextlib.aclosing`. What they hold is hidden from others until then, and only the letter at hand is in
    memory. ConnectionLost ends them: nothing is lost, begin again.
    """

    def __init__(self, broker: Broker, topology: Topology, agents: Iterable[str]) -> None:
        """`agents`: whose queues are looked for, since AMQP cannot list queues; those without one are passed over."""
        self._broker = broker
        self._topology = topology
        self._agents = frozenset(agents)

    async def letters(self, choice: Choice = EVERYTHING) -> AsyncGenerator[DeadLetter, None]:
        """Iterate over the chosen letters: by agent, in the order of its queue, then the unrouted tasks."""
        async with contextlib.aclosing(self._found(choice)) as found:
            async for letter, _ in found:
                yield letter

    async def replay(self, choice: Choice = EVERYTHING) -> AsyncGenerator[Replayed | Kept | Spared, None]:
        """Have the chosen letters done again: each is published, confirmed, and only then removed.

        A crash between the two leaves the letter; replayed again, it is the same task (see `replay_copy`), and hosts
        drop the duplicate. What fails again meanwhile is a letter of its own, and not replayed a second time.

        Raises:
            QueueFull: the agent has too many tasks already; this letter and those behind it stay.
        """
        known: dict[str, bool] = {}
        made: set[str] = set()
        done = 0
        async with contextlib.aclosing(self._found(replace(choice, without=frozenset()))) as found:
            async for letter, delivery in found:
                if letter.task_id in made:
                    continue
                if choice.spares(letter):
                    yield Spared(letter)
                    continue
                if letter.has_result and next_id(letter.task_id) in made:
                    await delivery.ack()  # a second letter of one task, as a crash before its ack makes it
                    continue
                if letter.agent not in known:
                    known[letter.agent] = await self._is_known(letter.agent)
                if not known[letter.agent]:
                    yield Kept(letter)
                    continue
                task_id = await self._publish_again(letter, delivery, done)
                await delivery.ack()
                done += 1
                if letter.has_result:
                    made.add(task_id)
                yield Replayed(letter, task_id)

    async def purge(self, choice: Choice = EVERYTHING) -> AsyncGenerator[DeadLetter, None]:
        """Remove the chosen letters. A task without a terminal result gets one first, and its caller so hears of it."""
        async with contextlib.aclosing(self._found(choice)) as found:
            async for letter, delivery in found:
                if not letter.has_result:
                    await self._answer(letter, delivery)
                await delivery.ack()
                yield letter

    async def _found(self, choice: Choice) -> AsyncGenerator[tuple[DeadLetter, Delivery], None]:
        for queue, agent in self._queues(choice):
            info = await self._broker.queue_info(queue)
            if info is None or not info.ready:
                continue
            async with self._broker.browse(queue) as waiting:
                async for delivery in waiting:
                    letter = _letter_of(delivery, agent)
                    if choice.takes(letter):
                        yield letter, delivery

    def _queues(self, choice: Choice) -> Iterator[tuple[str, str | None]]:
        if choice.reason != UNROUTED:
            wanted = self._agents if choice.agents is None else choice.agents.intersection(self._agents)
            yield from ((self._topology.dead_queue(agent), agent) for agent in sorted(filter(_is_name, wanted)))
        if choice.reason in (None, UNROUTED):
            yield self._topology.unrouted, None

    async def _is_known(self, agent: str) -> bool:
        # A task for an agent without a queue would only come back as unrouted.
        return _is_name(agent) and await self._broker.queue_info(self._topology.task_queue(agent)) is not None

    async def _publish_again(self, letter: DeadLetter, delivery: Delivery, done: int) -> str:
        copy = replay_copy(letter.message, letter.agent, now())
        # A letter that was looked at before may be one whose replay was cut short.
        message = repeated(copy) if delivery.redelivered else copy
        try:
            await self._broker.publish(self._topology.tasks, letter.agent, message, again=repeated(copy))
        except QueueFull as error:
            raise QueueFull(
                f"the task queue of agent {letter.agent!r} is full: {done} replayed, {letter.task_id!r} and all behind "
                "it stay; replay them once the agent has done some of its tasks"
            ) from error
        return letter_id(copy)

    async def _answer(self, letter: DeadLetter, delivery: Delivery) -> None:
        task = receive_task(letter.message, letter.agent, now()).task
        result = TaskResult(
            task_id=letter.task_id,
            agent=letter.agent if _is_name(letter.agent) else None,
            status=TaskStatus.REJECTED if letter.reason == UNROUTED else TaskStatus.FAILED,
            error=TaskError(code=letter.code, message=letter.error),
            attempt=letter.attempt,
            parent_id=task.parent_id,
            history=letter.history,
            redelivered=delivery.redelivered,
            metadata=task.metadata,
        )
        publisher = TaskPublisher(self._broker, self._topology, result.agent or "unknown", "")
        await publisher.result(result, letter.message)
        await publisher.reply(result, letter.message)


def _letter_of(delivery: Delivery, agent: str | None) -> DeadLetter:
    if agent is None:
        return unrouted_letter_of(delivery.message, delivery.routing_key)
    return dead_letter_of(delivery.message, agent)


def _is_name(agent: str) -> bool:
    # Anything may stand in the routing key of an unrouted message, also what would make a name too long for AMQP.
    return re.fullmatch(AGENT_NAME_PATTERN, agent) is not None and len(agent) <= 100  # noqa: PLR2004 - AgentName's limit
