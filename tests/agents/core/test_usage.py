"""What a task has cost is told by its result, however it ends."""

import asyncio

from agents import BaseAgentV2, PermanentError, RetryableError
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal


class AskingThen(BaseAgentV2):
    """Asks the model once, tells that, and then raises the next error that it was given, or waits for ever."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(name="worker")
        self.errors = list(errors)
        self.answered = asyncio.Event()

    async def process_task(self, task: TaskMessage) -> str:
        text = await self.query_ollama(task["prompt"])
        self.answered.set()
        if self.errors:
            raise self.errors.pop(0)
        await asyncio.Event().wait()
        return text


def told_one_call(result: TaskResult) -> bool:
    usage = result.usage
    return (
        usage is not None
        and (usage.model_calls, usage.tokens_in, usage.tokens_out, usage.load_time) == (1, 10, 4, 2.0)
        and (result.model, result.server) == ("tinyllama:latest", "http://scripted")
    )


async def test_a_completed_task_tells_model_server_and_speed() -> None:
    class Asker(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> str:
            return await self.query_ollama(task["prompt"])

    async with agent_world(Asker(name="worker")) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert told_one_call(result)
    assert result.usage is not None
    assert round(result.usage.tokens_per_second, 3) == 2.667


async def test_a_task_that_failed_after_it_asked_tells_what_that_cost() -> None:
    async with agent_world(AskingThen(PermanentError("no"))) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert result.status is TaskStatus.FAILED
    assert told_one_call(result)


async def test_a_task_that_was_tried_again_tells_the_cost_of_its_last_attempt() -> None:
    agent = AskingThen(RetryableError("busy"), PermanentError("no"))
    async with agent_world(agent, retry_base=0, retry_jitter=0) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert (result.status, result.attempt) == (TaskStatus.FAILED, 2)
    assert told_one_call(result)


async def test_a_task_whose_second_question_failed_tells_the_first() -> None:
    class Twice(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> str:
            return await self.query_ollama(task["prompt"]) + await self.query_ollama(task["prompt"])

    ollama = ScriptedOllama()
    ollama.script += [answer("ok"), refusal(400, "invalid options")]
    async with agent_world(Twice(name="worker"), ollama=ollama) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert result.status is TaskStatus.FAILED
    assert told_one_call(result)


async def test_a_cancelled_task_tells_what_it_cost() -> None:
    agent = AskingThen()
    async with agent_world(agent) as world, world.client.results() as results, asyncio.timeout(10):
        task = await world.client.submit("worker", "Hi")
        await agent.answered.wait()
        await world.client.cancel(task.id)
        result = await anext(results)
    assert result.status is TaskStatus.CANCELLED
    assert told_one_call(result)


async def test_a_task_whose_deadline_passed_during_the_work_tells_what_it_cost() -> None:
    agent = AskingThen()
    async with agent_world(agent) as world, world.client.results() as results, asyncio.timeout(20):
        await world.client.submit("worker", "Hi", timeout=2.0)
        await agent.answered.wait()
        result = await anext(results)
    assert result.status is TaskStatus.EXPIRED
    assert told_one_call(result)


async def test_a_task_that_asks_no_model_tells_none() -> None:
    class Counting(BaseAgentV2):
        needs_model = False

        async def process_task(self, task: TaskMessage) -> int:
            return len(task["prompt"])

    async with agent_world(Counting(name="worker")) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert (result.result, result.model, result.server) == (2, None, None)
    assert result.usage is not None
    assert (result.usage.model_calls, result.usage.tokens_per_second) == (0, 0.0)
