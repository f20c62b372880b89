from collections.abc import AsyncGenerator

import pytest

from agents.cli.letter_work import purge_letters, replay_letters
from bus.dead_letters import DeadLetters
from bus.errors import QueueFull
from bus.letter import Choice
from bus.message import Message
from tests.support.bus_world import AGENT, World, memory_world
from tests.support.faulty_brokers import Refusing


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with memory_world("letters") as world:
        for number in range(2):
            letter = Message(b"{}", headers={"x-error-reason": "permanent", "x-task-id": f"t-{number}"})
            await world.broker.publish(world.topology.dead, AGENT, letter)
        await world.broker.publish(world.topology.tasks, "nobody", Message(b"{}"))
        yield world


async def test_work_that_is_cut_short_says_how_far_it_came(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    broker = Refusing(world.broker, world.topology.tasks)
    with pytest.raises(QueueFull, match="0 replayed, 't-0' and all behind it stay"):
        await replay_letters(DeadLetters(broker, world.topology, [AGENT]), Choice(), lambda _: "")
    broker = Refusing(world.broker, world.topology.results)
    with pytest.raises(QueueFull):  # for the answer of the unrouted task
        await purge_letters(DeadLetters(broker, world.topology, [AGENT]), Choice())
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "replayed 0, then stopped\npurged 2, then stopped\n")
    await world.until_ready(world.topology.unrouted, 1)
