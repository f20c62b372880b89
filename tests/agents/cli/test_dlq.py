import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents import BaseAgentV2
from bus.envelope import Envelope, dead_letter
from bus.errors import PermanentError
from bus.message import Message
from bus.rabbitmq import RabbitBroker
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import AgentWorld, agent_world, connected_client, settings_for
from tests.support.command_line import Cli, Ran
from tests.support.program import SUTAZAI
from tests.support.waiting import wait_until


class Picky(BaseAgentV2):
    """Fails unless it is told that all is mended."""

    mended = False

    async def process_task(self, task: TaskMessage) -> object:
        if not self.mended:
            raise PermanentError(f"cannot {task.prompt}")
        return {"response": task.prompt}


@asynccontextmanager
async def picky_world(url: str, *, mended: bool = False) -> AsyncIterator[AgentWorld]:
    agent = Picky(name="picky")
    agent.mended = mended
    async with agent_world(agent, amqp_url=url) as world:
        yield world


async def bury(url: str, *ids: str) -> None:
    """Have tasks of these ids fail."""
    async with picky_world(url) as world:
        for task_id in ids:
            await world.client.ask("picky", "add [/x] :x:", timeout=10, id=task_id, priority=7)


async def publish(url: str, agent: str, *messages: Message) -> None:
    """Publish to agents that nobody runs."""
    async with connected_client(settings_for(url)) as client:
        for message in messages:
            await client.broker.publish(client.topology.tasks, agent, message)


class Dlq:
    """Runs `sutazai dlq` against one broker."""

    def __init__(self, cli: Cli, url: str) -> None:
        self._cli = cli
        self.url = url

    async def __call__(self, *arguments: str) -> Ran:
        return await asyncio.to_thread(self._cli, "dlq", *arguments, "--amqp-url", self.url)

    async def ids(self) -> list[str]:
        """Return the ids of all letters, once those that were looked at are back."""
        ran = await self("list", "--json")
        return [json.loads(line)["task_id"] for line in ran.out.splitlines()]

    async def until_ids(self, *ids: str) -> None:
        async def are() -> bool:
            return await self.ids() == list(ids)

        await wait_until(are, what=f"the letters {ids}")


@pytest.fixture
def dlq(cli: Cli, vhost_url: str) -> Dlq:
    return Dlq(cli, vhost_url)


async def test_letters_are_counted_by_agent_reason_and_error(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1", "t-2")
    async with picky_world(dlq.url) as world, world.client.results() as results:
        await world.client.broker.publish(world.client.topology.tasks, "picky", Message(b"no task"))
        await anext(results)
    await publish(dlq.url, "nobody", Message(b"{}", correlation_id="u-1"))
    ran = await dlq("list")
    rows = [line.replace("│", " ").split() for line in ran.out.splitlines()]
    assert ran.code == 0
    counted = [row[:4] for row in rows if row and row[0] in ("picky", "nobody")]
    assert counted == [
        ["nobody", "unrouted", "unknown_agent", "1"],
        ["picky", "permanent", "permanent", "2"],
        ["picky", "unreadable", "unreadable", "1"],
    ]
    assert [len(row) for row in rows if row and row[0] == "picky"] == [8, 8]  # the oldest and the newest
    narrowed = await dlq("list", "--reason", "permanent", "--code", "permanent", "--agent", "picky", "--long")
    assert [line.split()[2:6] for line in narrowed.out.splitlines()] == [
        ["t-1", "picky", "permanent", "attempt"],
        ["t-2", "picky", "permanent", "attempt"],
    ]
    assert narrowed.out.count("cannot add [/x] :x:") == 2


async def test_json_is_one_object_a_line_with_all_but_the_body(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    (line,) = (await dlq("list", "--json")).out.splitlines()
    letter = json.loads(line)
    assert (letter["task_id"], letter["agent"], letter["reason"], letter["code"], letter["error"]) == (
        "t-1",
        "picky",
        "permanent",
        "permanent",
        "cannot add [/x] :x:",
    )
    assert (letter["properties"]["priority"], letter["properties"]["type"]) == (7, "sutazai.task.v1")
    assert letter["size"] > 100
    assert "body" not in letter


async def test_no_letters_are_no_error(dlq: Dlq) -> None:
    ran = await dlq("list")
    assert (ran.code, ran.out, ran.sentence) == (0, "", "no dead letters")
    ran = await dlq("replay", "--all")
    assert (ran.code, ran.out) == (0, "replayed 0 of 0\n")
    ran = await dlq("purge", "--all", "--yes")
    assert (ran.code, ran.out) == (0, "purged 0\n")


async def test_show_tells_all_of_a_letter_and_raw_writes_its_exact_bytes(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    ran = await dlq("show", "t-1")
    shown = " ".join(ran.out.split())
    assert ran.code == 0
    for told in (
        "task t-1 agent picky reason permanent error permanent: cannot add [/x] :x: failed at 2",
        "on host host-1 attempt 1 result published",
        "properties priority = 7",
        '"prompt": "add [/x] :x:",',
    ):
        assert told in shown
    body = b'{"a": 1} \xff\x1b[31m'
    await publish(dlq.url, "nobody", Message(body, correlation_id="u-1", headers={"mine": "\x1b[2J"}))
    ran = await dlq("show", "u-1")
    assert "\x1b" not in ran.out
    assert 'mine = "\\u001b[2J"' in ran.out
    assert '{"a": 1} \\xff\\x1b[31m' in ran.out
    process = await asyncio.create_subprocess_exec(
        SUTAZAI, "dlq", "show", "u-1", "--raw", "--amqp-url", dlq.url, stdout=asyncio.subprocess.PIPE
    )
    written, _ = await process.communicate()
    assert written == body


async def test_a_replay_of_one_runs_and_leaves_the_others(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1", "t-2")
    ran = await dlq("replay", "--one", "t-1", "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "would replay 1")
    assert " t-1 " in ran.out
    await dlq.until_ids("t-1", "t-2")
    ran = await dlq("replay", "--one", "t-1")
    assert (ran.code, ran.out) == (0, "replayed 1 of 1\n")
    await dlq.until_ids("t-2")
    async with (
        connected_client(settings_for(dlq.url)) as client,
        client.results() as results,
        picky_world(dlq.url, mended=True),
        asyncio.timeout(10),
    ):
        result = await anext(results)
    assert (result.task_id, result.status) == ("t-1~1", TaskStatus.COMPLETED)
    assert result.metadata["replay_of"] == "t-1"


async def test_what_nobody_can_take_stays_and_is_told(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    await publish(dlq.url, "nobody", Message(b"{}", correlation_id="u-1"))
    ran = await dlq("replay", "--all")
    assert (ran.code, ran.out) == (5, "replayed 1 of 2\n")
    assert ran.sentence == "error: 1 stay, since no queue takes tasks for: nobody"
    await publish(dlq.url, "senior-enginer", Message(b"{}", correlation_id="u-2"))
    ran = await dlq("replay", "--all")
    assert "error: 2 stay, since no queue takes tasks for: nobody, senior-enginer (did you mean senior-" in ran.sentence
    await dlq.until_ids("u-1", "u-2")
    ran = await dlq("purge", "--reason", "unrouted", "--yes")
    assert (ran.code, ran.out) == (0, "purged 2\n")
    assert await dlq.ids() == []


async def test_tasks_for_an_agent_that_nobody_ever_started_are_found_by_its_name(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    for agent, task_id in (("retired-agent", "u-1"), ("other", "u-2")):
        await publish(dlq.url, agent, Message(b"{}", correlation_id=task_id))
    ran = await dlq("list", "--json", "--agent", "retired-agent")
    assert (ran.code, [json.loads(line)["task_id"] for line in ran.out.splitlines()]) == (0, ["u-1"])
    await dlq.until_ids("t-1", "u-1", "u-2")
    ran = await dlq("purge", "--reason", "unrouted", "--agent", "retired-agent", "--yes")
    assert (ran.code, ran.out) == (0, "purged 1\n")
    await dlq.until_ids("t-1", "u-2")


async def test_an_agent_that_is_in_no_catalogue_is_found_by_its_greeting_or_its_name(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    assert await dlq.ids() == ["t-1"]
    ran = await dlq("list", "--json", "--agent", "senior-engineer")
    assert (ran.code, ran.out) == (5, "")
    assert "no agent 'senior-engineer' is known" in ran.sentence


@pytest.mark.parametrize("command", ["replay", "purge"])
async def test_an_unknown_id_and_a_missing_choice_are_wrong_usage(dlq: Dlq, command: str) -> None:
    await bury(dlq.url, "t-1")
    ran = await dlq(command, "--one", "t-9", *(["--yes"] if command == "purge" else []))
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == "error: no dead letter of task 't-9': `sutazai dlq list --long` shows all"
    for arguments, told in (
        ([], f"choose what to {command}: --one ID, --reason WORD, --code WORD, --all"),
        (["--agent", "picky"], f"choose what to {command}"),
        (["--all", "--one", "t-1"], "--all and --one, --reason or --code contradict each other"),
    ):
        ran = await dlq(command, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: {told}")
        assert len(ran.err.splitlines()) == 1
    assert await dlq.ids() == ["t-1"]
    assert (await dlq("show", "t-9")).code == 2


async def test_a_purge_takes_what_is_old_enough(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    ran = await dlq("purge", "--older-than", "7d", "--yes")
    assert (ran.code, ran.out) == (0, "purged 0\n")
    ran = await dlq("purge", "--older-than", "0s", "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "would purge 1")
    ran = await dlq("purge", "--older-than", "0s", "--agent", "picky", "--yes")
    assert (ran.code, ran.out) == (0, "purged 1\n")
    ran = await dlq("purge", "--older-than", "last week", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: --older-than 'last week' is no moment of the past: give ")


async def test_a_purge_is_not_done_unasked(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    ran = await dlq("purge", "--all")
    assert (ran.code, ran.out) == (2, "")
    assert "nobody can be asked here: give --yes" in ran.err
    assert await dlq.ids() == ["t-1"]


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, []), ("n", 130, ["t-1", "t-2"])])
async def test_at_a_terminal_a_purge_asks_first(dlq: Dlq, answer: str, code: int, left: list[str]) -> None:
    await bury(dlq.url, "t-1", "t-2")
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(SUTAZAI, "dlq", "purge", "--reason", "permanent", "--amqp-url", dlq.url),
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    async with asyncio.timeout(20):
        said, asked = await process.communicate()
    os.close(ours)
    assert process.returncode == code
    assert b"purge these 2? [y/N]" in asked
    assert said.endswith(b"purged 2\n") == (code == 0)
    assert (b"nothing was purged" in asked) == (code == 130)
    await dlq.until_ids(*left)


@pytest.mark.parametrize("command", ["list", "show", "replay", "purge"])
async def test_the_help_of_each_command_shows_examples(cli: Cli, command: str) -> None:
    ran = cli("dlq", command, "--help")
    assert (ran.code, "Examples" in ran.out) == (0, True)
    assert f"sutazai dlq {command}" in ran.out


async def test_an_unreachable_broker_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTAZAI_CONNECT_TIMEOUT", "0.2")
    ran = await asyncio.to_thread(cli, "dlq", "list", "--amqp-url", "amqp://127.0.0.1:9/")
    assert (ran.code, ran.out) == (3, "")
    assert ran.sentence.startswith("error: no RabbitMQ answers")


async def test_replaying_all_leaves_out_what_would_only_do_harm_or_fail_again_and_says_so(dlq: Dlq) -> None:
    await bury(dlq.url, "t-1")
    async with RabbitBroker([dlq.url], "test", "1") as broker:
        for task_id, reason, body in (("t-2", "poison", b'{"prompt": "x"}'), ("t-3", "unreadable", b"no task")):
            letter = dead_letter(Message(body), task_id, reason, (reason, "why"), Envelope(), ("", "host-1"))
            await broker.publish("sutazai.dead", "picky", letter)
    told = (
        "left out 1 poison, since their hosts died over them: `--reason poison` takes them "
        "left out 1 unreadable, since they could only be rejected again: `--reason unreadable` takes them"
    )
    ran = await dlq("replay", "--all", "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1], ran.sentence) == (0, "would replay 1", told)
    assert len(ran.out.splitlines()) == 2
    await dlq.until_ids("t-1", "t-2", "t-3")
    ran = await dlq("replay", "--all")
    assert (ran.code, ran.out, ran.sentence) == (0, "replayed 1 of 1\n", told)
    await dlq.until_ids("t-2", "t-3")
    for reason in ("poison", "unreadable"):
        ran = await dlq("replay", "--reason", reason)
        assert (ran.code, ran.out, ran.sentence) == (0, "replayed 1 of 1\n", "")
