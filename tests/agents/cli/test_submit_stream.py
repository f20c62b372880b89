"""`sutazai submit --stream`, against a real broker and a scripted model server."""

import asyncio
import signal

import httpx
import pytest

from agents import BaseAgentV2, Client
from schemas import TaskMessage
from tests.support.agent_world import Asker, agent_world
from tests.support.command_line import Cli, Ran
from tests.support.program import program, sutazai
from tests.support.scripted_ollama import ScriptedOllama, answer, held, lines

STREAM = ("--stream", "--timeout", "15")


def scripted(*script: httpx.Response) -> ScriptedOllama:
    ollama = ScriptedOllama()
    ollama.script.extend(script)
    return ollama


async def streamed(cli: Cli, url: str, ollama: ScriptedOllama, *arguments: str) -> Ran:
    async with agent_world(Asker(name="asker"), ollama=ollama, amqp_url=url):
        return await asyncio.to_thread(cli, "submit", "asker", "x", *STREAM, *arguments, "--amqp-url", url)


async def test_an_answer_goes_to_standard_output_and_its_cost_to_standard_error(cli: Cli, vhost_url: str) -> None:
    ran = await streamed(cli, vhost_url, scripted(answer("A [/x]", "\tmutex", " locks.\n")))
    assert (ran.code, ran.out) == (0, "A [/x]\tmutex locks.\n")
    assert ran.sentence.startswith("completed tinyllama:latest ")
    assert ran.sentence.endswith(" s 4 tokens 2.7 tokens/s")


async def test_a_broken_answer_is_marked_as_void_and_begins_anew(cli: Cli, vhost_url: str) -> None:
    broken = httpx.Response(200, content=b"".join(lines({"response": "wrong", "done": False})))
    ran = await streamed(cli, vhost_url, scripted(broken), "--retry", "base=0")
    assert (ran.code, ran.out) == (0, "wrong\nok\n")
    assert ran.sentence.startswith("--- the text above is void: it failed: ")
    assert "; attempt 2 begins" in ran.sentence


async def test_an_agent_that_asks_no_model_is_shown_its_result(cli: Cli, vhost_url: str) -> None:
    class Counter(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> object:
            return {"words": len((task.prompt or "").split())}

    async with agent_world(Counter(name="counter"), amqp_url=vhost_url):
        ran = await asyncio.to_thread(cli, "submit", "counter", "a b", *STREAM, "--amqp-url", vhost_url)
    assert (ran.code, ran.out) == (0, '{\n  "words": 2\n}\n')


async def test_other_ends_have_their_exit_codes(cli: Cli, vhost_url: str) -> None:
    stuck, _ = held("so f")
    ran = await streamed(cli, vhost_url, scripted(stuck), "--deadline", "0.5")
    assert (ran.code, ran.out) == (6, "so f\n")
    assert ran.sentence.startswith("error: the task ended as expired: ")
    stuck, _ = held("so f")
    ran = await streamed(cli, vhost_url, scripted(stuck), "--timeout", "0.5")
    assert (ran.code, ran.out) == (7, "so f\n")
    assert "within 0.5 s" in ran.sentence
    ran = await asyncio.to_thread(cli, "submit", "nobody", "x", *STREAM, "--amqp-url", vhost_url)
    assert (ran.code, ran.out) == (5, "")


@pytest.mark.parametrize("how", ["--stream", "--wait"])
async def test_ctrl_c_leaves_the_task_running_and_tells_how_to_cancel_it(how: str, vhost_url: str) -> None:
    stuck, body = held("so f")
    command = sutazai("submit", "asker", "x", how, "--id", "order-17")
    async with (
        agent_world(Asker(name="asker"), ollama=scripted(stuck), amqp_url=vhost_url) as world,
        program(*command, env={"AMQP_URL": vhost_url}) as running,
    ):
        await world.ollama.arrivals(1)
        if how == "--stream":
            await running.says("so f")
        running.send(signal.SIGINT)
        assert await running.ends() == 130
        assert running.err.splitlines()[-2:] == [
            "interrupted: task order-17 goes on",
            "to end it: sutazai cancel order-17 --agent asker",
        ]
        assert running.out == ("so f\n" if how == "--stream" else "")
        assert not body.closed.is_set()
        await cancelled(world.client, "order-17")


async def cancelled(client: Client, task_id: str) -> None:
    async with client.results() as results, asyncio.timeout(10):
        await client.cancel(task_id, agent="asker")
        assert (await anext(results)).status == "cancelled"


async def test_who_waits_is_told_why_the_task_does(vhost_url: str) -> None:
    async with agent_world(Asker(name="asker"), amqp_url=vhost_url):
        pass
    command = sutazai("submit", "asker", "x", "--wait")
    async with program(*command, env={"AMQP_URL": vhost_url}) as running:
        await running.says("--- no host takes tasks for asker now (none runs, ")
        async with agent_world(Asker(name="asker"), amqp_url=vhost_url):
            assert await running.ends() == 0
    assert running.out == "ok\n"
