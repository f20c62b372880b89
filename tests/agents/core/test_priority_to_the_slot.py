"""Priority holds from the publisher to the model slot."""

import asyncio

from agents import BaseAgentV2, Priority, RequestQueue
from schemas import TaskMessage
from tests.support.agent_world import Gate, agent_world
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


class Holder(BaseAgentV2):
    def __init__(self, gate: Gate) -> None:
        super().__init__(name="holder", max_concurrent_tasks=1)
        self.gate = gate

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        return await self.gate.hold(task)


class Asker(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> str:
        return await self.query_ollama(task["prompt"])


async def test_a_critical_task_after_ten_low_ones_is_worked_on_next(vhost_url: str) -> None:
    gate = Gate()
    async with agent_world(Holder(gate), amqp_url=vhost_url) as world:
        running = await world.client.submit("holder", "running", priority=Priority.LOW)
        assert await gate.next() == running.id
        low = [await world.client.submit("holder", str(n), priority=Priority.LOW) for n in range(10)]
        critical = await world.client.submit("holder", "now", priority=Priority.CRITICAL)
        gate.leave.set()
        order = [await gate.next() for _ in range(11)]
    assert order == [critical.id, *[task.id for task in low]]


async def test_a_critical_task_of_another_agent_goes_before_a_low_one_that_waits_at_the_slot(vhost_url: str) -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    staff = (Asker(name="one"), Asker(name="two"))
    async with agent_world(*staff, ollama=ollama, amqp_url=vhost_url, max_ollama_connections=1) as world:
        client, queue = world.client, world.host.pool.queue
        asking = [asyncio.create_task(client.ask("one", "low running", priority=Priority.LOW))]
        await ollama.arrivals(1)
        asking.append(asyncio.create_task(client.ask("one", "low waiting", priority=Priority.LOW)))
        await wait_until(lambda: queue.waiting_by_priority() == {"low": 1})
        asking.append(asyncio.create_task(client.ask("two", "critical", priority=Priority.CRITICAL)))
        await wait_until(lambda: queue.waiting_by_priority() == {"low": 1, "critical": 1})
        ollama.gate.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*asking)
    assert [body["prompt"] for body in ollama.asked("/api/generate")] == ["low running", "critical", "low waiting"]


async def test_a_critical_task_goes_before_low_ones_that_its_agent_holds_already(vhost_url: str) -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    # A request of a second lingers 50 ms; these take none, so the moment is set.
    queue = RequestQueue(max_concurrent=1, max_retries=0, linger=lambda _: 0.5)
    asker = Asker(name="asker", max_concurrent_tasks=3)
    async with (
        queue,
        agent_world(asker, ollama=ollama, amqp_url=vhost_url, queue=queue) as world,
        world.client.replies() as replies,
    ):
        for number in range(10):
            await world.client.send(_task("asker", f"low {number}", Priority.LOW), reply_to=replies.queue)
        await wait_until(lambda: queue.waiting_by_priority() == {"low": 2})
        await world.client.send(_task("asker", "critical", Priority.CRITICAL), reply_to=replies.queue)
        ollama.gate.set()
        async with asyncio.timeout(10):
            answers = aiter(replies)
            [await anext(answers) for _ in range(2)]
    assert ollama.asked("/api/generate")[1]["prompt"] == "critical"


def _task(agent: str, prompt: str, priority: Priority) -> TaskMessage:
    return TaskMessage(agent=agent, prompt=prompt, priority=priority)
