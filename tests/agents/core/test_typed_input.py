"""What an agent declares as its input is checked before its work, and read in it."""

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from agents import BaseAgentV2
from agents.core.typed_input import InvalidInput
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import agent_world
from tests.support.waiting import wait_until

SCHEMA = {
    "title": "a page",
    "type": "object",
    "properties": {"number": {"type": "integer", "minimum": 1}},
    "required": ["number"],
}


class Bill(BaseModel):
    model_config = ConfigDict(strict=True)

    customer: str
    due: date
    amounts: tuple[float, ...] = Field(min_length=1)


class Clerk(BaseAgentV2):
    input_model = Bill
    needs_model = False

    async def process_task(self, task: TaskMessage) -> dict[str, Any]:
        bill: Bill = self.input_of(task)
        return {"due": bill.due.year, "sum": sum(bill.amounts)}


class Reader(BaseAgentV2):
    input_model = SCHEMA

    async def process_task(self, task: TaskMessage) -> Any:
        return self.input_of(task)


GOOD = {"customer": "Ann", "due": "2026-12-01", "amounts": [1, 2.5]}


def a_task(**fields: Any) -> TaskMessage:
    return TaskMessage(agent="clerk", **fields)


async def ended(agent: BaseAgentV2, **fields: Any) -> TaskResult:
    async with agent_world(agent) as world:
        return await world.client.ask(agent.name, timeout=10, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"data": GOOD},
        {"data": GOOD, "prompt": "the bill of Ann"},
        {"prompt": '{"customer": "Ann", "due": "2026-12-01", "amounts": [1, 2.5]}'},
    ],
    ids=["data", "data beside a prompt", "prompt"],
)
async def test_the_handler_reads_an_instance_of_the_class(fields: dict[str, Any]) -> None:
    result = await ended(Clerk(), **fields)
    assert (result.status, result.result) == (TaskStatus.COMPLETED, {"due": 2026, "sum": 3.5})


async def test_with_a_schema_it_reads_the_value_itself() -> None:
    result = await ended(Reader(name="clerk"), data={"number": 3, "more": True})
    assert result.result == {"number": 3, "more": True}


@pytest.mark.parametrize(
    ("agent", "fields", "told"),
    [
        (
            Clerk,
            {"data": GOOD | {"customer": 7}},
            "the task's data does not fit Bill: customer: Input should be a valid string, not 7; give what the agent's",
        ),
        (
            Clerk,
            {"data": {"customer": "Ann", "due": "2026-12-01"}},
            "the task's data does not fit Bill: amounts: Field required",
        ),
        (Clerk, {"data": []}, "the task's data does not fit Bill: Input should be an object"),
        (Clerk, {"prompt": '{"customer": "Ann"}'}, "the task's prompt does not fit Bill: due: Field required; amounts"),
        (Clerk, {"prompt": "Ann's bill"}, "the task has no data, and its prompt is no JSON: give Bill as data"),
        (
            Reader,
            {"data": {"number": 0}},
            "the task's data does not fit a page: number: 0 is less than the minimum of 1",
        ),
        (Reader, {"prompt": "x"}, "the task has no data, and its prompt is no JSON: give a page as data"),
    ],
)
async def test_what_does_not_fit_is_rejected_with_field_value_and_remedy_and_dead_lettered(
    agent: type[BaseAgentV2], fields: dict[str, Any], told: str
) -> None:
    class Unasked(agent):  # type: ignore[misc, valid-type] # a class that is a parameter
        async def process_task(self, _task: TaskMessage) -> str:
            pytest.fail("its work has begun")

    async with agent_world(Unasked(name="clerk")) as world:
        result = await world.client.ask("clerk", timeout=10, **fields)
        dead = world.client.topology.dead_queue("clerk")

        async def is_buried() -> bool:
            info = await world.client.broker.queue_info(dead)
            return info is not None and info.ready == 1

        await wait_until(is_buried, what="a dead letter")
        assert (await world.client.ask("clerk", timeout=10, **fields)).task_id != result.task_id
    assert (result.status, result.attempt) == (TaskStatus.REJECTED, 1)
    assert getattr(result.error, "code", None) == "invalid_input"
    assert getattr(result.error, "message", "").startswith(told)


def test_it_is_read_without_a_host_too() -> None:
    assert Clerk().input_of(a_task(data=GOOD)).customer == "Ann"
    with pytest.raises(InvalidInput):
        Clerk().input_of(a_task(data={}))


def test_an_agent_without_one_says_so() -> None:
    class Plain(BaseAgentV2):
        pass

    with pytest.raises(TypeError, match="Plain has no input_model: declare one, or read task"):
        Plain().input_of(a_task(data=1))


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (7, "Odd.input_model is 7: give a class derived from pydantic.BaseModel, or a JSON Schema"),
        ({"type": "nonsense"}, "Odd.input_model is no valid JSON Schema at type"),
    ],
)
def test_a_bad_one_is_told_where_it_is_written(declared: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        type("Odd", (BaseAgentV2,), {"input_model": declared})
