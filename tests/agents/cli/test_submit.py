import asyncio
import json

import pytest

from agents import BaseAgentV2
from schemas import TaskMessage
from tests.support.agent_world import Gate, agent_world
from tests.support.command_line import Cli, Ran

WAIT = ("--wait", "--timeout", "15")


class Echo(BaseAgentV2):
    """Answers with what it was asked."""

    async def process_task(self, task: TaskMessage) -> object:
        return task.data if task.data is not None else {"response": task.prompt}


class Holder(BaseAgentV2):
    def __init__(self, gate: Gate) -> None:
        super().__init__(name="holder", max_concurrent_tasks=3)
        self.gate = gate

    async def process_task(self, task: TaskMessage) -> object:
        return await self.gate.hold(task)


async def submitted(cli: Cli, url: str, *arguments: str, stdin: str = "") -> Ran:
    async with agent_world(Echo(name="echo"), amqp_url=url):
        return await asyncio.to_thread(cli, "submit", "echo", *arguments, "--amqp-url", url, stdin=stdin)


async def test_a_waited_for_answer_goes_to_standard_output_alone(cli: Cli, vhost_url: str) -> None:
    ran = await submitted(cli, vhost_url, "see [/x] [bold]", *WAIT)
    assert (ran.code, ran.out, ran.sentence) == (0, "see [/x] [bold]\n", "")


async def test_a_structured_answer_is_shown_as_json(cli: Cli, vhost_url: str) -> None:
    ran = await submitted(cli, vhost_url, "x", "--data", '{"a": ["ä"]}', *WAIT)
    assert json.loads(ran.out) == {"a": ["ä"]}
    assert "ä" in ran.out


async def test_json_output_is_the_whole_result(cli: Cli, vhost_url: str) -> None:
    ran = await submitted(cli, vhost_url, "[/x]", *WAIT, "--json", "-p", "critical", "--model", "m")
    result = json.loads(ran.out)
    assert (result["status"], result["agent"], result["result"]) == ("completed", "echo", {"response": "[/x]"})


async def test_a_dash_reads_the_prompt_from_standard_input(cli: Cli, vhost_url: str) -> None:
    ran = await submitted(cli, vhost_url, "-", *WAIT, stdin="two\nlines")
    assert ran.out == "two\nlines\n"


async def test_tabs_and_line_ends_of_an_answer_are_kept(cli: Cli, vhost_url: str) -> None:
    ran = await submitted(cli, vhost_url, "all:\n\tmake\n", *WAIT)
    assert ran.out == "all:\n\tmake\n\n"


async def test_what_is_typed_of_a_task_reaches_the_agent(cli: Cli, vhost_url: str) -> None:
    gate = Gate()
    rules = ("--retry", "base=5", "--retry", "on=timeout,connection", "--max-attempts", "7")
    async with agent_world(Holder(gate), amqp_url=vhost_url):
        typed = ("--id", "order-17", *rules, "--metadata", "a=b=c", "--metadata", "n=1", "--json")
        ran = await asyncio.to_thread(cli, "submit", "holder", "x", *typed, "--amqp-url", vhost_url)
        assert await gate.next() == "order-17"
        gate.leave.set()
    task = json.loads(ran.out)
    assert (task["id"], task["max_attempts"], task["metadata"]) == ("order-17", 7, {"a": "b=c", "n": "1"})
    assert (task["retry"]["base"], task["retry"]["on"]) == (5.0, ["timeout", "connection"])


async def test_without_waiting_the_id_is_printed_and_the_task_sent(cli: Cli, vhost_url: str) -> None:
    gate = Gate()
    async with agent_world(Holder(gate), amqp_url=vhost_url):
        ran = await asyncio.to_thread(cli, "submit", "holder", "x", "--amqp-url", vhost_url)
        assert (ran.code, ran.out.strip()) == (0, await gate.next())
        gate.leave.set()
        ran = await asyncio.to_thread(cli, "submit", "holder", "[/x]", "--json", "-p", "9", "--amqp-url", vhost_url)
        task = json.loads(ran.out)
        assert (task["id"], task["prompt"], task["priority"]) == (await gate.next(), "[/x]", 9)


async def test_a_deadline_that_passes_and_a_wait_that_ends_have_codes_of_their_own(cli: Cli, vhost_url: str) -> None:
    gate = Gate()
    async with agent_world(Holder(gate), amqp_url=vhost_url):
        submit = ("submit", "holder", "x", *WAIT, "--amqp-url", vhost_url)
        expired = await asyncio.to_thread(cli, *submit, "--deadline", "0.2")
        late = await asyncio.to_thread(cli, *submit, "--timeout", "0.2")
        as_json = await asyncio.to_thread(cli, *submit, "--deadline", "0.1", "--json")
    assert (expired.code, expired.out) == (6, "")
    assert expired.sentence.startswith("error: the task ended as expired: the deadline ")
    assert (late.code, late.out) == (7, "")
    assert "from agent 'holder' within 0.2 s" in late.sentence
    assert (as_json.code, json.loads(as_json.out)["status"]) == (6, "expired")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data", "{"], "--data is no JSON: Expecting property name"),
        (["--priority", "urgent"], "priority 'urgent' is not known: use a number 0..9"),
        (["--priority", "10"], "priority '10' is not known"),
        (["--model", ""], "--model = '': String should have at least 1 character"),
        (["--deadline", "1e10"], "--deadline = 10000000000.0: Input should be less than or equal to"),
        (["--id", "ü"], "--id = 'ü': use 1 to 128 printable ASCII characters"),
        (["--max-attempts", "0"], "--max-attempts = 0: Input should be greater than or equal to 1"),
        (["--retry", "bse=5"], "retry has no key 'bse': did you mean 'base'?"),
        (["--metadata", "order"], "'order' is no KEY=VALUE: write it like --metadata order=17"),
        (["--stream", "--json"], "--stream and --json contradict each other"),
        (["--timeout", "0"], "'--timeout'"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, list) else "",
)
def test_an_invalid_argument_is_refused_before_anything_is_sent(cli: Cli, arguments: list[str], told: str) -> None:
    ran = cli("submit", "echo", "x", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1


def test_an_agent_s_name_that_cannot_be_is_refused(cli: Cli) -> None:
    ran = cli("submit", "No Agent", "x")
    assert ran.code == 2
    assert ran.err.startswith("error: agent = 'No Agent': use lower-case letters, digits and hyphens")
