import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import pytest

from agents import BaseAgentV2
from bus.codec import encode_result
from bus.ending import end_tasks
from schemas import TaskMessage
from tests.support.agent_world import AgentWorld, agent_world
from tests.support.command_line import Cli
from tests.support.program import program, sutazai
from tests.support.waiting import wait_until


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


@asynccontextmanager
async def logged_world(vhost_url: str) -> AsyncIterator[AgentWorld]:
    """An agent `echo` on a broker with logs."""
    async with agent_world(Echo(name="echo"), amqp_url=vhost_url) as world:
        for plan in world.client.topology.logs():
            await world.client.broker.declare(plan)
        yield world


async def test_what_was_is_printed_of_one_agent_and_status_and_then_it_ends(cli: Cli, vhost_url: str) -> None:
    async with logged_world(vhost_url) as world:
        for prompt in ("one", "fail", "two"):
            await world.client.ask("echo", prompt, timeout=10, id=prompt)
        everything, failed, others = [
            await asyncio.to_thread(cli, "results", "--since", "1h", *chosen, "--amqp-url", vhost_url)
            for chosen in ((), ("--status", "failed", "--json"), ("--agent", "other"))
        ]
    assert (everything.code, failed.code, others.code) == (0, 0, 0)
    lines = everything.out.splitlines()
    assert [" ".join(line.split()[2:5]) for line in lines] == [
        "completed echo one",
        "failed echo fail",
        "completed echo two",
    ]
    assert all(line.startswith(f"{datetime.now(UTC):%Y-}") for line in lines)
    assert everything.sentence.startswith("results since 20")
    assert everything.sentence.endswith(": 3")
    assert [json.loads(line)["task_id"] for line in failed.out.splitlines()] == ["fail"]
    assert (others.out, others.sentence[-3:]) == ("", ": 0")


async def test_the_past_is_followed_by_what_comes_each_once(vhost_url: str) -> None:
    command = sutazai("results", "--since", "1h", "--follow", "--json")
    asked: list[str] = []
    async with logged_world(vhost_url) as world, program(*command, env={"AMQP_URL": vhost_url}) as running:

        async def ask_on() -> None:
            for number in count():
                await world.client.ask("echo", "x", timeout=10, id=f"task-{number}")
                asked.append(f"task-{number}")

        # While it starts, while it reads the past, and after that.
        asking = asyncio.create_task(ask_on(), name="asking")
        await running.says("results since")
        enough = len(asked) + 20
        await wait_until(lambda: len(asked) >= enough, what="more results")
        await end_tasks([asking])
        await running.says(f'"task_id":"{asked[-1]}"')
        running.send(signal.SIGINT)
        assert await running.ends() == 130
    shown = [json.loads(line)["task_id"] for line in running.out.splitlines()]
    assert shown[: len(asked)] == asked
    assert len(shown) <= len(asked) + 1  # the one that was being asked for


async def test_a_second_result_of_a_task_from_the_past_is_not_shown_again(vhost_url: str) -> None:
    command = sutazai("results", "--since", "1h", "--follow", "--json")
    async with logged_world(vhost_url) as world:
        answer = await world.client.ask("echo", "x", timeout=10, id="first")
        async with program(*command, env={"AMQP_URL": vhost_url}) as running:
            await running.says("results since")
            await world.client.broker.publish("sutazai.results", "echo.completed", encode_result(answer))
            await world.client.ask("echo", "x", timeout=10, id="second")
            await running.says('"task_id":"second"')
    assert [json.loads(line)["task_id"] for line in running.out.splitlines()] == ["first", "second"]


@pytest.mark.parametrize("value", ["soon", "1x", "2026-01-31T18:00:00"])
def test_a_wrong_time_is_a_usage_error_that_says_what_is_allowed(cli: Cli, value: str) -> None:
    ran = cli("results", "--since", value)
    assert (ran.code, ran.out) == (2, "")
    assert "--since" in ran.sentence
    assert f"'{value}'" in ran.sentence
    assert "90s, 30m, 1h or 2d" in ran.sentence


def test_without_a_log_the_command_says_what_to_do(cli: Cli, vhost_url: str) -> None:
    for more in ((), ("--follow",)):
        ran = cli("results", "--since", "1h", *more, "--amqp-url", vhost_url)
        assert (ran.code, ran.out) == (4, "")
        assert "error: there is no log 'sutazai.results.log' on this broker: start an agent or run" in ran.sentence
