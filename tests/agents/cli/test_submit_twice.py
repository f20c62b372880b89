"""`sutazai submit` with the id of a task that has ended, against a real broker."""

import asyncio

import pytest

from agents import BaseAgentV2
from schemas import TaskMessage
from tests.support.agent_world import agent_world
from tests.support.command_line import Cli


class Counter(BaseAgentV2):
    """Tells which of its tasks this is."""

    done = 0

    async def process_task(self, task: TaskMessage) -> object:
        self.done += 1
        return {"response": f"{task.prompt}, answered {self.done}"}


@pytest.mark.parametrize("how", ["--wait", "--stream"])
async def test_who_submits_a_task_again_gets_the_answer_that_it_has_had(cli: Cli, vhost_url: str, how: str) -> None:
    counter = Counter(name="counter")
    async with agent_world(counter, amqp_url=vhost_url):
        ran = [
            await asyncio.to_thread(
                cli, "submit", "counter", prompt, "--id", "order-17", way, "--timeout", "15", "--amqp-url", vhost_url
            )
            for prompt, way in (("a", "--wait"), ("b", how))
        ]
    assert [(one.code, one.out) for one in ran] == [(0, "a, answered 1\n")] * 2
    assert counter.done == 1
