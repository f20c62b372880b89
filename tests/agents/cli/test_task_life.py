"""A task whose life changes while it is looked for: the look at a long log takes half a minute."""

from collections.abc import Awaitable, Callable

import pytest

from agents.cli import task_life
from agents.cli.task_life import life_of
from agents.cli.task_log import Logged, Tell, logged
from bus.client import Client
from bus.dead_letters import DeadLetters, Replayed
from bus.errors import PermanentError
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import AgentWorld, Gate, Holder, agent_world
from tests.support.waiting import wait_until


class Unlucky(Holder):
    """Fails at what is no replay."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate, "unlucky")

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        if not task.id.endswith("~1"):
            raise PermanentError("no luck")
        return await self.gate.hold(task)


def slowly(meanwhile: Callable[[], Awaitable[None]]) -> Callable[[Client, str, str | None, Tell], Awaitable[Logged]]:
    """Return a look at the log during whose last part something happens."""

    async def look(client: Client, task_id: str, agent: str | None, tell: Tell) -> Logged:
        found = await logged(client, task_id, agent, tell)
        await meanwhile()
        return found

    return look


async def held(world: AgentWorld, count: int) -> None:
    await wait_until(lambda: sum(consumer.held for consumer in world.host.consumers) == count, what="what is held")


async def test_a_task_that_ends_during_the_look_at_the_log_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    async with agent_world(Holder(gate), health_check_interval=0.1) as world:
        task = await world.client.submit("holder", "x")
        await gate.next()

        async def end() -> None:
            gate.leave.set()
            await held(world, 0)

        monkeypatch.setattr(task_life, "logged", slowly(end))
        life = await life_of(world.client, task.id, None, ["holder"])
    assert life.result is not None
    assert (life.result.status, life.agent, life.place) == (TaskStatus.COMPLETED, "holder", None)


async def test_a_task_that_fails_during_the_look_at_the_log_is_told_with_its_error_and_its_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with agent_world(Unlucky(Gate())) as world:

        async def fail() -> None:
            await world.client.ask("unlucky", "x", id="t-1", timeout=10)
            await held(world, 0)

        monkeypatch.setattr(task_life, "logged", slowly(fail))
        life = await life_of(world.client, "t-1", None, fleet=[])  # whose it is, only its result tells
    assert life.result is not None
    assert (life.result.status, life.agent, life.event) == (TaskStatus.FAILED, "unlucky", None)
    assert life.letter is not None
    assert (life.letter.reason, life.replay) == ("permanent", None)


async def test_a_replay_that_ends_during_the_look_at_the_log_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    async with agent_world(Unlucky(gate), health_check_interval=0.1) as world:
        await world.client.ask("unlucky", "x", id="t-1", timeout=10)
        letters = DeadLetters(world.client.broker, world.client.topology, ["unlucky"])
        assert [type(done) async for done in letters.replay()] == [Replayed]
        await gate.next()

        async def end() -> None:
            gate.leave.set()
            await held(world, 0)

        monkeypatch.setattr(task_life, "logged", slowly(end))
        monkeypatch.setattr(task_life, "LISTEN_SECONDS", 0.2)
        life = await life_of(world.client, "t-1", None, ["unlucky"])
    assert life.replay is not None
    assert (life.replay.task_id, life.replay.status) == ("t-1~1", TaskStatus.COMPLETED)


async def test_a_letter_that_is_still_there_was_not_replayed_whatever_a_host_holds() -> None:
    gate = Gate()
    async with agent_world(Unlucky(gate), health_check_interval=0.1) as world:
        await world.client.ask("unlucky", "x", id="t-1", timeout=10)
        await world.client.submit("unlucky", "somebody else's", id="t-1~1")
        await gate.next()
        life = await life_of(world.client, "t-1", None, ["unlucky"])
        gate.leave.set()
    assert life.letter is not None
    assert life.replay is None
