"""`sutazai task`: the life of one task, wherever it is."""

import asyncio
import json
import re
import sys
from typing import Any

import pytest

from agents import BaseAgentV2
from bus.codec import encode_task
from bus.dead_letters import DeadLetters, Replayed
from bus.errors import PermanentError
from schemas import TaskMessage
from tests.support.agent_world import AgentWorld, Asker, Gate, Holder, agent_world
from tests.support.command_line import Cli, Ran
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.terminal import on_terminal
from tests.support.waiting import wait_until


class Fragile(BaseAgentV2):
    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:
        raise ValueError(f"no [/luck] with {task.prompt}")


class Unlucky(Holder):
    """Fails at what is no replay."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate, "unlucky")

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        if not task.id.endswith("~1"):
            self.gate.started.put_nowait(task.id)
            raise PermanentError("no luck")
        return await self.gate.hold(task)


class Chatty(BaseAgentV2):
    """Tells of its work again and again, for ever."""

    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:  # noqa: ARG002 - whatever it is, it takes for ever
        while True:
            self.progress(0.4, "page 3 [/x]")
            await asyncio.sleep(0.05)


async def told(cli: Cli, world: AgentWorld, *arguments: str) -> Ran:
    return await asyncio.to_thread(cli, "task", *arguments, "--amqp-url", world.host.settings.amqp_url)


async def test_a_task_that_has_ended_is_told_with_its_waits_its_model_and_its_answer(cli: Cli, vhost_url: str) -> None:
    async with agent_world(Asker(name="asker"), amqp_url=vhost_url) as world:
        for task_id in ("order-16", "order-17", "order-18"):
            await world.client.ask("asker", "Hi", id=task_id, timeout=10)
        ran = await told(cli, world, "order-17")
        as_json = await told(cli, world, "order-17", "--agent", "asker", "--json")
    words = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.out.splitlines()}
    assert (ran.code, words["task"], words["agent"], words["attempt"]) == (0, "order-17", "asker", "1")
    assert words["status"].startswith("completed 20")
    assert words["waited"].endswith("s for the model")
    assert "out" in words["tokens"]
    assert words["model"].endswith("at http://scripted")
    assert words["answer"]
    assert max(map(len, ran.out.splitlines())) <= 80
    life = json.loads(as_json.out)
    assert (as_json.code, life["is_known"], life["result"]["status"]) == (0, True, "completed")
    assert (life["result"]["task_id"], life["letter"], life["event"]) == ("order-17", None, None)


async def test_a_failed_task_is_told_with_its_dead_letter_and_how_to_replay_it(cli: Cli, vhost_url: str) -> None:
    async with agent_world(Fragile(name="fragile"), amqp_url=vhost_url) as world:
        await world.client.ask("fragile", "this [/x] " * 20, id="t-1", timeout=10)
        ran = await told(cli, world, "t-1")
    assert ran.code == 0
    assert "no [/luck] with this [/x]" in " ".join(ran.out.split())
    assert "a dead letter (permanent) on host-1, 20" in ran.out
    assert "sutazai dlq replay --one t-1" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


async def test_a_task_that_reached_no_agent_is_told_as_a_dead_letter(cli: Cli, vhost_url: str) -> None:
    async with agent_world(Asker(name="asker"), amqp_url=vhost_url) as world:
        lost = encode_task(TaskMessage(agent="nobody", prompt="x", id="lost"))
        await world.client.broker.publish(world.client.topology.tasks, "nobody", lost)
        ran = await told(cli, world, "lost")
        as_json = await told(cli, world, "lost", "--json")
    assert (ran.code, "no agent 'nobody' was known" in ran.out) == (0, True)
    assert json.loads(as_json.out)["letter"]["reason"] == "unrouted"


async def test_a_task_that_was_replayed_names_the_one_that_it_is_now(cli: Cli, vhost_url: str) -> None:
    gate = Gate()
    async with agent_world(Unlucky(gate), amqp_url=vhost_url, health_check_interval=600) as world:
        await world.client.ask("unlucky", "x", id="t-1", timeout=10)
        letters = DeadLetters(world.client.broker, world.client.topology, ["unlucky"])
        assert [type(done) async for done in letters.replay()] == [Replayed]
        assert [await gate.next(), await gate.next()] == ["t-1", "t-1~1"]
        at_work = await told(cli, world, "t-1")
        async with world.client.results() as results:
            gate.leave.set()
            await anext(results)
        done = await told(cli, world, "t-1")
        as_json = await told(cli, world, "t-1", "--json")
    assert "permanent" in at_work.out
    assert re.search(r"^replay +at work on host-1: see sutazai task t-1~1$", at_work.out, re.MULTILINE)
    assert re.search(r"^replay +completed on host-1: see sutazai task t-1~1$", done.out, re.MULTILINE)
    assert json.loads(as_json.out)["replay"] == {"task_id": "t-1~1", "host": "host-1", "status": "completed"}


async def test_on_a_terminal_it_is_told_how_far_the_look_at_the_log_has_come(vhost_url: str) -> None:
    often = "from agents.cli import main, task_log; task_log.TOLD_EACH = 1; main.main()"
    async with agent_world(Asker(name="asker"), amqp_url=vhost_url) as world:
        await world.client.ask("asker", "Hi", id="order-1", timeout=10)
        command = (sys.executable, "-c", often, "task", "order-1")
        async with on_terminal(*command, env={"AMQP_URL": vhost_url}) as shown:
            await shown.shows("results of the last hour: 1 read")
            await shown.shows("completed")


async def test_a_task_at_work_is_told_by_its_latest_step(cli: Cli, vhost_url: str) -> None:
    async with agent_world(Chatty(name="chatty"), amqp_url=vhost_url, grace_period=0) as world:
        await world.client.submit("chatty", "x", id="long")
        ran = await told(cli, world, "long")
    assert ran.code == 0
    assert "host-1 works on it: 40 %: page 3 [/x] (attempt 1, 20" in " ".join(ran.out.split())


async def test_a_task_that_runs_in_silence_is_told_by_the_host_that_holds_it(cli: Cli, vhost_url: str) -> None:
    gate = Gate()
    url: dict[str, Any] = {"amqp_url": vhost_url, "health_check_interval": 600}
    staff = [Holder(gate), Asker(name="other")]
    async with agent_world(*staff, **url) as world, agent_world(Asker(name="third"), host_name="host-2", **url):
        await world.client.submit("holder", "x", id="runs")
        await gate.next()
        runs = await told(cli, world, "runs")
        as_json = await told(cli, world, "runs", "--agent", "holder", "--json")
        gate.leave.set()
    assert (runs.code, as_json.code) == (0, 0)
    assert re.search(r"^agent +holder$", runs.out, re.MULTILINE)
    assert re.search(r"^now +host-1 works on it since 20.*Z \(attempt 1\)$", runs.out, re.MULTILINE)
    place = json.loads(as_json.out)["place"]
    assert (place["host"], place["agent"], place["id"], place["state"]) == ("host-1", "holder", "runs", "running")


async def test_a_task_that_waits_in_a_host_for_its_turn_is_told(cli: Cli, vhost_url: str) -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    slots: dict[str, Any] = {"max_ollama_connections": 1, "max_concurrent_tasks": 2}
    async with agent_world(Asker(name="asker"), ollama=ollama, amqp_url=vhost_url, **slots) as world:
        await world.client.submit("asker", "x", id="asks")
        await ollama.arrivals(1)
        await world.client.submit("asker", "x", id="waits")
        await wait_until(lambda: world.host.consumers[0].waiting, what="the wait for a slot")
        ran = await told(cli, world, "waits")
        ollama.gate.set()
        await wait_until(lambda: not world.host.consumers[0].held, what="the end")
    assert ran.code == 0
    assert re.search(r"host-1 holds it since 20\S+ \S+Z, and it waits for its turn", " ".join(ran.out.split()))


async def test_a_task_that_no_host_holds_is_told_by_its_agents_queue_and_hosts(
    cli: Cli, vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.cli.task_life.LISTEN_SECONDS", 0.5)
    gate = Gate()
    quick: dict[str, Any] = {"health_check_interval": 0.1}
    async with agent_world(Holder(gate), amqp_url=vhost_url, **quick) as world:
        await world.client.submit("holder", "x", id="runs")
        await gate.next()
        await world.client.submit("holder", "x", id="queued")
        ran = await told(cli, world, "queued", "--agent", "holder")
        nameless = await told(cli, world, "queued")
        gate.leave.set()
    assert ran.code == nameless.code == 5
    assert "tasks that wait: 1, consumers: 1" in ran.out
    assert "host-1 is consuming, tasks in hand: 1" in ran.out
    assert "error: no trace of task queued: no result in the log, no dead letter" in ran.sentence
    assert "--agent NAME shows its agent's queue and hosts" in nameless.sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(("",), "task id = '': use 1 to 128"), (("t", "--agent", "A b"), "agent = 'A b': use lower-case letters")],
)
def test_what_is_no_task_or_no_agent_is_named(cli: Cli, arguments: tuple[str, ...], sentence: str) -> None:
    ended = cli("task", *arguments)
    assert (ended.code, sentence in ended.sentence) == (2, True)
