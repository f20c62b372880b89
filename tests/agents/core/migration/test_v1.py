"""What `@as_v1` and `v1_config` do when a rewritten agent runs."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents import BaseAgentV2
from agents.core.migration.v1 import as_v1, v1_config
from agents.core.settings import SettingsError
from schemas import TaskError, TaskStatus
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import ScriptedOllama, refusal


class Worker(BaseAgentV2):
    """Catches everything, as v1 agents do."""

    @as_v1
    async def process_task(self, task: dict[str, Any]) -> object:
        if task["type"] == "both":
            one: Any = await self.process_task({"type": "one", "prompt": "x"})
            return {"status": "success", "one": one["text"]}
        try:
            text = await self.query_ollama(task["prompt"])
        except Exception as error:
            if task["type"] == "again":
                text = await self.query_ollama(task["prompt"])
            elif task["type"] == "raise":
                raise ValueError("bad") from error
            else:
                text = "none"
                if task["type"] != "shrug":
                    return {"status": "error", "message": str(error)}
        task["subject"] = task["subject"].upper() if "subject" in task else ""
        return {"status": "success", "text": text, "subject": task["subject"]}


async def asked(script: list[httpx.Response], **fields: Any) -> tuple[Any, int]:
    """Run one task with these answers of the model server before "ok"; return its result and the attempts it took."""
    ollama = ScriptedOllama()
    ollama.script.extend(script)
    async with agent_world(Worker(), ollama=ollama, retry_base=0.01, retry_jitter=0) as world, asyncio.timeout(20):
        result = await world.client.ask("worker", "hello", **fields)
    return result, result.attempt


async def test_a_task_is_a_dict_of_its_own_with_the_keys_of_its_data() -> None:
    result, _ = await asked([], data={"subject": "tea"})
    assert result.result == {"status": "success", "text": "ok", "subject": "TEA"}


async def test_a_call_with_a_dict_is_the_method_itself() -> None:
    result, _ = await asked([], type="both")
    assert result.result == {"status": "success", "one": "ok"}


@pytest.mark.parametrize("kind", ["tell", "raise"])
async def test_a_query_that_failed_in_passing_is_tried_again_though_the_agent_caught_it(kind: str) -> None:
    result, attempt = await asked([refusal(500, "out of order")], type=kind)
    assert (result.status, attempt) == (TaskStatus.COMPLETED, 2)


@pytest.mark.parametrize("kind", ["again", "shrug"])
async def test_an_agent_that_helps_itself_is_left_to_it(kind: str) -> None:
    result, attempt = await asked([refusal(500, "out of order")], type=kind)
    assert (result.status, attempt) == (TaskStatus.COMPLETED, 1)


async def test_a_query_that_failed_for_good_is_what_the_agent_makes_of_it() -> None:
    result, attempt = await asked([refusal(400, "no such option")], type="raise")
    assert (result.status, attempt) == (TaskStatus.FAILED, 1)
    assert isinstance(result.error, TaskError)
    assert result.error.message.endswith("bad")


def test_an_agents_own_file_is_read_and_may_be_absent(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"limit": 3}')
    assert v1_config(tmp_path / "config.json") == {"limit": 3}
    assert v1_config(tmp_path / "none.json") == {}


@pytest.mark.parametrize(("text", "told"), [("[1]", "holds a list: make it a JSON object"), ("{", "cannot be used")])
def test_a_file_that_is_no_object_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(SettingsError, match=told):
        v1_config(tmp_path / "config.json")
