"""Agents that give tasks to one another, for tests."""

from collections.abc import Callable
from typing import Any, Final

from agents import BaseAgentV2
from schemas import RetryRules, TaskMessage, TaskResult
from tests.support.agent_world import AgentWorld

LIMIT: Final = 20.0
AT_ONCE: Final = RetryRules(base=0, cap=0, jitter=0)


class Boss(BaseAgentV2):
    """Gives its tasks to a worker, and tells what came of it."""

    retry = AT_ONCE
    needs_model = False

    def __init__(self, name: str = "boss", to: str = "worker", **arguments: Any) -> None:
        super().__init__(name=name, **arguments)
        self.to = to
        self.asked: dict[str, Any] = {}

    async def process_task(self, task: TaskMessage) -> object:
        result = await self.delegate(self.to, task.prompt, **self.asked)
        return {"child": result.task_id, "said": result.result}


class Worker(BaseAgentV2):
    """Keeps its tasks, and answers or raises what a test puts there."""

    needs_model = False
    max_attempts = 1

    def __init__(self, name: str = "worker", **arguments: Any) -> None:
        super().__init__(name=name, **arguments)
        self.tasks: list[TaskMessage] = []
        self.act: Callable[[TaskMessage], object] = lambda task: f"done: {task.prompt}"

    async def process_task(self, task: TaskMessage) -> object:
        self.tasks.append(task)
        return self.act(task)


def raising(error: Exception) -> Callable[[TaskMessage], object]:
    """Return what makes a worker fail."""

    def act(_task: TaskMessage) -> object:
        raise error

    return act


async def ended(world: AgentWorld, agent: str = "boss", prompt: str = "part", **fields: Any) -> TaskResult:
    """Ask an agent and wait for its result."""
    return await world.client.ask(agent, prompt, timeout=LIMIT, **fields)


def code_of(result: TaskResult) -> str:
    """Return the code of a result's error, if it has one."""
    return getattr(result.error, "code", "")
