"""What v1 results mean in v2: the rule itself, and a rewritten agent in a host."""

import asyncio
from pathlib import Path

import pytest

from agents.core.migration.results import v1_result
from schemas import TaskError, TaskMessage, TaskResult, TaskStatus
from tests.agents.core.migration.programs import loaded, rewritten, v1
from tests.support.agent_world import agent_world

TASK = TaskMessage(agent="worker", prompt="x")


@pytest.mark.parametrize(
    "returned", [{"status": "success"}, {"status": "failed"}, {"a": 1}, "text", None, 3, ["error"]]
)
def test_what_is_no_v1_error_stays_as_it_is(returned: object) -> None:
    assert v1_result(returned, TASK) is returned


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"message": "no code"}, "no code"),
        ({"error": "no code"}, "no code"),
        ({"message": "", "error": "no code"}, "no code"),
        ({"message": 404}, "404"),
        ({}, "the agent returned status error and no message"),
    ],
)
def test_a_v1_error_is_a_failed_result_that_keeps_all_it_told(told: dict[str, object], message: str) -> None:
    result = v1_result({"status": "error", **told}, TASK)
    assert isinstance(result, TaskResult)
    assert (result.task_id, result.status) == (TASK.id, TaskStatus.FAILED)
    assert result.result == {"status": "error", **told}
    assert result.error == TaskError(code="permanent", message=message, retryable=False)


async def test_a_rewritten_agent_completes_and_fails_over_the_bus_as_v1_meant_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = v1(
        """
        def process_task(self, task):
            if task["type"] == "greet":
                return self.greet(task)
            return {"status": "error", "message": f"unknown type {task['type']}", "known": ["greet"]}

        def greet(self, task):
            return {"status": "success", "text": self.query_ollama(task["prompt"])}
        """
    )
    agent = loaded(rewritten(tmp_path, program), "worker", monkeypatch)["Worker"]()
    async with agent_world(agent) as world, asyncio.timeout(10):
        good = await world.client.ask("worker", "hello", type="greet")
        bad = await world.client.ask("worker", "hello", type="sing")
    assert (good.status, good.result) == (TaskStatus.COMPLETED, {"status": "success", "text": "ok"})
    assert bad.status is TaskStatus.FAILED
    assert bad.result == {"status": "error", "message": "unknown type sing", "known": ["greet"]}
    assert isinstance(bad.error, TaskError)
    assert (bad.error.code, bad.error.message) == ("permanent", "unknown type sing")
