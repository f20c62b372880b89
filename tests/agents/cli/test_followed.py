import pytest

from agents.cli.answer_screen import ResultScreen
from agents.cli.followed import followed
from bus.errors import ReplyTimeout
from schemas import TaskMessage
from tests.support.bus_world import AGENT, Worker, memory_world


async def test_a_wait_that_ends_without_a_result_repeats_what_was_seen_last() -> None:
    task = TaskMessage(id="t-1", agent=AGENT, prompt="x")
    async with memory_world("followed") as world, world.consumer(Worker(hold=True)):
        with pytest.raises(ReplyTimeout) as late:
            await followed(world.client, task, ResultScreen(), timeout=1.0)
    assert str(late.value) == (
        "no result of task t-1 from agent 'worker' within 1 s: it goes on; "
        "last seen: worker on host-1 has taken it, attempt 1"
    )


async def test_a_wait_that_is_over_before_anything_was_seen_says_so_alone() -> None:
    task = TaskMessage(id="t-1", agent=AGENT, prompt="x")
    async with memory_world("followed") as world:
        with pytest.raises(ReplyTimeout, match=r"within 0\.01 s: it goes on$"):
            await followed(world.client, task, ResultScreen(), timeout=0.01)
