"""What becomes of children whose parents are tried again, killed, cancelled or late, over both brokers."""

import asyncio

import pytest
from structlog.testing import capture_logs

from agents import PermanentError, RetryableError
from agents.core.delegation import Delegation
from agents.core.delegation_rules import DelegationFailed
from agents.core.model.task_scope import TaskScope
from bus.client import Client
from bus.errors import BusError, PublishTimeout
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import (
    Gate,
    Holder,
    agent_world,
    attempt_at,
    connected_client,
    memory_url,
    settings_for,
)
from tests.support.delegating import LIMIT, Boss, Worker, code_of, ended, raising
from tests.support.waiting import wait_until


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of either broker."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


async def test_a_parent_that_is_tried_again_gets_the_answer_of_the_child_that_is_done(amqp_url: str) -> None:
    class Unlucky(Boss):
        async def process_task(self, task: TaskMessage) -> object:
            answers.append(await super().process_task(task))
            if len(answers) == 1:
                raise RetryableError("once")
            return answers[-1]

    answers: list[object] = []
    worker = Worker()
    async with agent_world(Unlucky(), worker, amqp_url=amqp_url) as world:
        result = await ended(world)
    assert (result.status, result.attempt, len(worker.tasks)) == (TaskStatus.COMPLETED, 2, 1)
    assert answers[0] == answers[1]


async def test_a_parent_that_is_tried_again_has_a_child_that_failed_done_anew(amqp_url: str) -> None:
    class Stubborn(Boss):
        async def process_task(self, task: TaskMessage) -> object:
            try:
                return await super().process_task(task)
            except DelegationFailed as failed:
                raise RetryableError(str(failed)) from failed

    worker = Worker()
    worker.act = lambda task: "third time" if len(worker.tasks) == 3 else raising(PermanentError("no luck"))(task)
    async with agent_world(Stubborn(), worker, amqp_url=amqp_url) as world:
        result = await ended(world)
    assert (result.status, result.attempt, len({task.id for task in worker.tasks})) == (TaskStatus.COMPLETED, 3, 3)
    assert result.result["said"] == "third time"


async def test_a_parent_whose_host_was_killed_joins_the_child_that_still_runs(amqp_url: str) -> None:
    gate = Gate()
    boss = Boss()
    async with (
        agent_world(Holder(gate, "worker"), amqp_url=amqp_url, host_name="host-2") as world,
        asyncio.timeout(LIMIT),
    ):
        async with agent_world(boss, amqp_url=amqp_url, host_name="killed"):
            asking = asyncio.create_task(ended(world))
            child = await gate.next()
        # It left at once, unsettled, as a killed process does.
        async with agent_world(Boss(), amqp_url=amqp_url, host_name="host-3") as second:
            await wait_until(lambda: second.host.consumers[0].running, what="the parent to come again")
            gate.leave.set()
            result = await asking
    assert (result.status, result.result["child"]) == (TaskStatus.COMPLETED, child)
    assert gate.started.empty()


async def test_a_child_that_was_done_before_its_host_was_killed_is_not_done_again(amqp_url: str) -> None:
    class Careful(Boss):
        async def process_task(self, task: TaskMessage) -> object:
            told = await super().process_task(task)
            await gate.hold(task)
            return told

    gate, first, second = Gate(), Worker(), Worker()
    async with connected_client(settings_for(amqp_url)) as client, asyncio.timeout(LIMIT):
        async with agent_world(Careful(), first, amqp_url=amqp_url, host_name="killed") as world:
            asking = asyncio.create_task(client.ask("boss", "part", timeout=LIMIT))
            await gate.next()
            await wait_until(lambda: world.host.consumers[1].held == 0, what="the child to be acknowledged")
        gate.leave.set()
        async with agent_world(Careful(), second, amqp_url=amqp_url):
            result = await asking
    assert (result.result["said"], len(first.tasks), second.tasks) == ("done: part", 1, [])


async def test_a_cancelled_parent_takes_its_child_with_it(amqp_url: str) -> None:
    gate = Gate()
    async with (
        agent_world(Boss(), Holder(gate, "worker"), amqp_url=amqp_url) as world,
        world.client.results() as results,
        asyncio.timeout(LIMIT),
    ):
        parent = await world.client.submit("boss", "part")
        child = await gate.next()
        await world.client.cancel(parent.id, agent="boss")
        told = {result.task_id: result for result in [await anext(results), await anext(results)]}
        assert gate.running == 0
    assert {told[parent.id].status, told[child].status} == {TaskStatus.CANCELLED}
    assert f"task {parent.id} does not wait for it any more" in str(told[child].error)


async def test_a_child_whose_parent_stops_waiting_for_it_is_cancelled(amqp_url: str) -> None:
    class Impatient(Boss):
        async def process_task(self, _task: TaskMessage) -> object:
            asking = asyncio.create_task(self.delegate("worker", "part"))
            await gate.next()
            asking.cancel()
            await asyncio.wait([asking])
            return "without it"

    gate = Gate()
    async with (
        agent_world(Impatient(), Holder(gate, "worker"), amqp_url=amqp_url) as world,
        world.client.results(agent="worker") as results,
        asyncio.timeout(LIMIT),
    ):
        assert (await ended(world)).result == "without it"
        assert (await anext(results)).status is TaskStatus.CANCELLED


@pytest.mark.parametrize("fault", [None, PublishTimeout("RabbitMQ does not confirm")], ids=["slow", "broken"])
async def test_a_host_that_ends_has_its_unwanted_children_cancelled_first_or_says_that_it_could_not(
    fault: BusError | None,
) -> None:
    class SlowClient(Client):
        async def cancel(self, task_id: str, *, agent: str | None = None, reason: str | None = None) -> None:
            await gate.leave.wait()
            if fault is not None:
                raise fault
            cancelled.append((task_id, f"{agent}: {reason}"))

    gate, cancelled = Gate(), list[tuple[str, str]]()
    parent = TaskMessage(agent="boss", prompt="x")
    scope = TaskScope(task=parent, attempt=attempt_at(parent))
    async with agent_world(Holder(gate, "worker")) as world, asyncio.timeout(LIMIT):
        with capture_logs() as logs:
            async with Delegation(SlowClient(world.client.broker, world.client.topology)) as delegation:
                asking = asyncio.create_task(delegation.ask(scope, "worker", {"prompt": "part"}))
                child = await gate.next()
                asking.cancel()
                await asyncio.wait([asking])
                asyncio.get_running_loop().call_later(0.05, gate.leave.set)
    unsaid = [line["child"] for line in logs if line["event"] == "delegation.not_cancelled"]
    assert (cancelled, unsaid) == (
        ([(child, f"worker: task {parent.id} does not wait for it any more")], []) if fault is None else ([], [child])
    )


async def test_a_child_ends_with_its_parents_deadline_or_its_own(amqp_url: str) -> None:
    gate, boss = Gate(), Boss()
    async with (
        agent_world(boss, Holder(gate, "worker", 3), amqp_url=amqp_url) as world,
        world.client.results(agent="worker") as results,
        asyncio.timeout(LIMIT),
    ):
        boss.asked = {"timeout": 0.3}
        own = await ended(world)
        assert (await anext(results)).status is TaskStatus.EXPIRED
    assert (own.status, code_of(own)) == (TaskStatus.FAILED, "delegation_failed")
