import asyncio
import json
import signal

from agents import BaseAgentV2
from schemas import TaskMessage
from tests.support.agent_world import agent_world
from tests.support.program import program, sutazai


class Echo(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> object:
        if task.prompt == "fail":
            raise ValueError("no [/luck]")
        return {"response": task.prompt}


async def test_the_next_result_is_printed_of_any_agent_of_one_or_of_a_status(vhost_url: str) -> None:
    env = {"AMQP_URL": vhost_url}
    async with (
        agent_world(Echo(name="echo"), Echo(name="other"), amqp_url=vhost_url) as world,
        program(*sutazai("results"), env=env) as any_one,
        program(*sutazai("results", "--agent", "echo"), env=env) as of_echo,
        program(*sutazai("results", "--status", "failed"), env=env) as failed,
    ):
        commands = (any_one, of_echo, failed)
        await asyncio.gather(*(running.says("listening to RabbitMQ") for running in commands))
        for agent, prompt in (("other", "first"), ("echo", "second [/x]"), ("echo", "fail")):
            await world.client.ask(agent, prompt, timeout=10, id=f"[/{prompt}]")
        assert await asyncio.gather(*(running.ends() for running in commands)) == [0, 0, 0]
    shown = [" ".join(running.out.split()) for running in commands]
    assert [len(running.out.splitlines()) for running in commands] == [1, 1, 1]
    for line, words in zip(
        shown, ("completed other [/first]", "completed echo [/second [/x]]", "failed echo"), strict=True
    ):
        assert words in line
    assert "second [/x]" in shown[1]
    assert "no [/luck]" in shown[2]


async def test_following_goes_on_until_ctrl_c_with_one_json_object_a_line(vhost_url: str) -> None:
    async with (
        agent_world(Echo(name="echo"), amqp_url=vhost_url) as world,
        program(*sutazai("results", "--follow", "--json"), env={"AMQP_URL": vhost_url}) as running,
    ):
        await running.says("listening to RabbitMQ")
        ids = [(await world.client.submit("echo", str(n))).id for n in range(2)]
        await running.says("task_id", times=2)
        running.send(signal.SIGINT)
        assert await running.ends() == 130
    lines = [json.loads(line) for line in running.out.splitlines()]
    assert [line["task_id"] for line in lines] == ids
    assert "Traceback" not in running.err
