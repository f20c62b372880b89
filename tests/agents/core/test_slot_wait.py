"""What an attempt's limit means to one that waits for its turn at the model, and to one that has had it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agents import BaseAgentV2
from schemas import EventKind, TaskEvent, TaskMessage, TaskStatus
from tests.support.agent_world import AgentWorld, Asker, agent_world
from tests.support.scripted_ollama import ScriptedOllama, held

LIMIT_SECONDS = 0.4


class Hasty(Asker):
    """Has little time for an attempt."""

    task_timeout = LIMIT_SECONDS

    def __init__(self) -> None:
        super().__init__(name="hasty", max_concurrent_tasks=1)


class Twice(BaseAgentV2):
    """Asks the model twice, the second time when a test says so."""

    task_timeout = LIMIT_SECONDS

    def __init__(self) -> None:
        super().__init__(name="hasty", max_concurrent_tasks=1)
        self.once, self.again = asyncio.Event(), asyncio.Event()

    async def process_task(self, _task: TaskMessage) -> str:
        await self.query_ollama("first")
        self.once.set()
        await self.again.wait()
        return await self.query_ollama("second")


@dataclass
class Contest:
    """A host with one slot; `slow` holds it once asked, until the gate opens. `steps` are those of the hasty agent."""

    world: AgentWorld
    ollama: ScriptedOllama
    steps: AsyncIterator[TaskEvent]

    async def occupy_slot(self) -> None:
        """Have the other agent take the only slot, and keep it."""
        self.ollama.gate = asyncio.Event()
        await self.world.client.submit("slow", "a long story")
        await self.ollama.arrivals(1)

    async def next(self, *kinds: EventKind) -> TaskEvent:
        """Return the next step of one of these kinds."""
        return await anext(step async for step in self.steps if step.kind in kinds)


@asynccontextmanager
async def contest(hasty: BaseAgentV2, ollama: ScriptedOllama) -> AsyncIterator[Contest]:
    async with (
        agent_world(hasty, Asker(name="slow"), ollama=ollama, max_ollama_connections=1) as world,
        world.client.events(agent="hasty") as steps,
        asyncio.timeout(20),
    ):
        yield Contest(world, ollama, steps)


async def test_an_attempt_that_only_waited_for_its_turn_is_handed_back_and_uses_no_attempt() -> None:
    async with (
        contest(Hasty(), ScriptedOllama()) as held_slot,
        held_slot.world.client.results(agent="hasty") as results,
    ):
        await held_slot.occupy_slot()
        task = await held_slot.world.client.submit("hasty", "me too", max_attempts=1)
        steps = [await held_slot.next(EventKind.ACCEPTED, EventKind.RETRYING) for _ in range(2)]
        assert held_slot.ollama.gate is not None
        held_slot.ollama.gate.set()
        result = await anext(results)
    assert [(step.kind, step.attempt) for step in steps] == [(EventKind.ACCEPTED, 1)] * 2
    assert (result.task_id, result.status, result.attempt) == (task.id, TaskStatus.COMPLETED, 1)
    assert result.history == ()


async def test_an_attempt_whose_answer_is_being_generated_is_ended_and_tried_again() -> None:
    ollama = ScriptedOllama()
    endless, body = held("Once upon")
    ollama.script.append(endless)
    async with contest(Hasty(), ollama) as free_slot:
        await free_slot.world.client.submit("hasty", "tell me")
        told = await free_slot.next(EventKind.RETRYING)
        await body.closed.wait()
        assert free_slot.world.host.pool.queue.active == 0
    assert (told.data["error"]["code"], told.data["next_attempt"]) == ("timeout", 2)
    assert "not done within its limit" in told.data["error"]["message"]


async def test_an_attempt_that_was_served_once_and_waits_again_counts() -> None:
    hasty = Twice()
    async with contest(hasty, ScriptedOllama()) as slot:
        await slot.world.client.submit("hasty", "twice")
        await hasty.once.wait()
        await slot.ollama.arrivals(1)  # that of the first question
        await slot.occupy_slot()
        hasty.again.set()
        told = await slot.next(EventKind.RETRYING)
        assert slot.ollama.gate is not None
        slot.ollama.gate.set()
    assert (told.data["error"]["code"], told.data["next_attempt"]) == ("timeout", 2)


async def test_an_attempt_that_works_without_a_model_counts() -> None:
    class Dreamer(Hasty):
        async def process_task(self, _task: TaskMessage) -> str:
            await asyncio.Event().wait()
            return ""

    async with contest(Dreamer(), ScriptedOllama()) as slot:
        await slot.world.client.submit("hasty", "dream")
        told = await slot.next(EventKind.RETRYING)
    assert told.data["error"]["code"] == "timeout"
