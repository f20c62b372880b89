import asyncio

from schemas import TaskMessage
from tests.support.agent_world import attempt_at
from tests.support.intake_world import SlotGate


async def test_what_is_taken_back_as_it_begins_is_not_done() -> None:
    gate = SlotGate(1)
    attempts = [attempt_at(TaskMessage(agent="a", prompt="x")) for _ in range(2)]
    works = [asyncio.create_task(gate(attempt), name="work") for attempt in attempts]
    assert await gate.finished(await gate.next())
    second = await gate.next()
    works[1].cancel()
    assert not await gate.finished(second)
    await asyncio.gather(*works, return_exceptions=True)
    assert gate.ended == 1
