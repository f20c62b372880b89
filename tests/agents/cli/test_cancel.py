import asyncio

import pytest

from agents import BaseAgentV2
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import agent_world
from tests.support.command_line import Cli
from tests.support.program import program, sutazai


class Endless(BaseAgentV2):
    needs_model = False

    def __init__(self) -> None:
        super().__init__(name="endless")
        self.started = asyncio.Event()

    async def process_task(self, task: TaskMessage) -> object:  # noqa: ARG002 - whatever it is, it takes for ever
        self.started.set()
        return await asyncio.Event().wait()


async def test_a_running_task_is_cancelled_from_the_command_line(vhost_url: str) -> None:
    agent = Endless()
    async with agent_world(agent, amqp_url=vhost_url) as world, world.client.results() as results:
        task = await world.client.submit("endless", "x")
        await asyncio.wait_for(agent.started.wait(), 10)
        said = ("cancel", task.id, "--agent", "endless", "--reason", "asked twice")
        async with program(*sutazai(*said), env={"AMQP_URL": vhost_url}) as running:
            assert await running.ends() == 0
        result = await asyncio.wait_for(anext(results), 10)
    assert "asked the hosts of endless to cancel 1 task" in running.out
    assert (result.task_id, result.status) == (task.id, TaskStatus.CANCELLED)
    assert "cancelled during the work: asked twice" in str(result.error)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("",), "task id = '': use 1 to 128"), (("t", "--agent", "A b"), "agent = 'A b': use lower-case letters")],
)
def test_what_is_no_task_or_no_agent_is_named(cli: Cli, arguments: tuple[str, ...], told: str) -> None:
    ended = cli("cancel", *arguments)
    assert ended.code == 2
    assert told in " ".join(ended.err.replace("│", " ").split())


def test_where_no_host_has_ever_started_that_is_said(cli: Cli, vhost_url: str) -> None:
    ran = cli("cancel", "t", "--amqp-url", vhost_url)
    assert (ran.code, ran.out) == (4, "")
    assert ran.sentence.startswith("error: no host has ever started on this broker (prefix 'sutazai'), so there is no")
