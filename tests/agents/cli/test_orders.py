"""`sutazai pause`, `resume` and `drain`: who obeyed is printed, and who did not is an error."""

import asyncio
from typing import Any

import pytest

from agents.cli.options import Connected
from agents.cli.orders import Answer, Answers, carried_out, posts_of
from bus.client import Client
from bus.codec import encode_report
from bus.control import ControlLink
from bus.live_hosts import live_hosts
from bus.memory import MemoryBroker
from bus.message import Message
from bus.pauses import Cause
from bus.routing_keys import report_key
from bus.topology import Topology
from schemas import AgentReport, DrainHost, Order, PauseAgents, Report, ReportKind, TaskStatus
from tests.support import reports
from tests.support.agent_world import Asker, Gate, Holder, agent_world, memory_url, settings_for
from tests.support.command_line import Cli, Ran
from tests.support.program import LIMIT, program, sutazai
from tests.support.tripping import trip
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a host may answer after an operator has given up, and obeys all the same."""
    monkeypatch.setattr("agents.cli.orders.ANSWER_SECONDS", LIMIT)
    monkeypatch.setattr("agents.cli.orders.OBEYING_SECONDS", LIMIT)
    monkeypatch.setattr("bus.live_hosts.LOOK_SECONDS", LIMIT)


async def ran(cli: Cli, *arguments: str, url: str) -> Ran:
    return await asyncio.to_thread(cli, *arguments, "--amqp-url", url)


async def test_pausing_and_resuming_print_who_obeyed_and_the_broker_shows_no_consumer(cli: Cli, vhost_url: str) -> None:
    seldom: dict[str, Any] = {"amqp_url": vhost_url, "health_check_interval": 60}
    async with (
        agent_world(Asker(name="asker"), Asker(name="other"), host_name="vm-1", **seldom) as world,
        agent_world(Asker(name="asker"), host_name="vm-2", **seldom),
    ):

        async def consumers(agent: str) -> int | None:
            info = await world.client.broker.queue_info(world.client.topology.task_queue(agent))
            return None if info is None else info.consumers

        paused = await ran(cli, "pause", "asker", "--reason", "new [/model]", url=vhost_url)
        assert (paused.code, paused.out) == (0, "paused: asker on vm-1, vm-2\n")
        assert (await consumers("asker"), await consumers("other")) == (0, 1)
        assert world.host.consumers[0].reason == "operator: new [/model]"
        again = await ran(cli, "pause", "--all", "--host", "vm-1", url=vhost_url)
        assert (again.code, again.out) == (0, "paused: asker on vm-1\npaused: other on vm-1\n")
        resumed = await ran(cli, "resume", "asker", "other", url=vhost_url)
        assert (resumed.code, resumed.out) == (0, "resumed: asker on vm-1, vm-2\nresumed: other on vm-1\n")
        assert (await world.client.ask("asker", "Hi", timeout=10)).status is TaskStatus.COMPLETED


async def test_an_agent_that_an_outage_goes_on_pausing_is_told_as_such(cli: Cli, vhost_url: str) -> None:
    async with agent_world(Asker(name="asker"), amqp_url=vhost_url, breaker_recovery=60) as world:
        await wait_until(lambda: world.host.consumers[0].state == "consuming", what="the start")
        trip(world.host.pool.breaker)
        await wait_until(lambda: world.host.consumers[0].state == "paused", what="the pause")
        resumed = await ran(cli, "resume", "--all", url=vhost_url)
    assert resumed.code == 0
    assert resumed.out.startswith("resumed: asker on host-1 (still paused: the model server does not answer")


async def test_a_drained_host_ends_with_exit_code_0(cli: Cli, vhost_url: str) -> None:
    env = {"AMQP_URL": vhost_url, "SUTAZAI_HOST_NAME": "vm-7"}
    async with program(*sutazai("run", "senior-engineer"), env=env) as host:
        await host.says("host.started")
        drained = await ran(cli, "drain", "--host", "vm-7", "--reason", "kernel update", url=vhost_url)
        assert (drained.code, drained.out) == (0, "draining: vm-7\n")
        assert await host.ends() == 0
    assert "kernel update" in host.out + host.err


async def test_where_nobody_obeys_that_is_an_error(cli: Cli, vhost_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.cli.orders.ANSWER_SECONDS", 0.3)
    async with agent_world(Asker(name="asker"), amqp_url=vhost_url, health_check_interval=0.1) as world:
        unknown = await ran(cli, "pause", "asker", "misspelt", url=vhost_url)
        assert (unknown.code, unknown.out) == (5, "")
        assert "no agent 'misspelt' is known" in unknown.sentence
        assert world.host.consumers[0].reason is None
        await world.host.consumers[0].pause("operator", Cause.OPERATOR)  # as its reports tell, time and again
        elsewhere = await ran(cli, "pause", "asker", "--host", "vm-9", url=vhost_url)
        assert (elsewhere.code, elsewhere.out) == (7, "")
        known = "none that is meant runs (connected: host-1), or it is cut off"
        assert elsewhere.sentence.startswith(f"error: no host answered for asker on vm-9 within 0.3 s: {known}")
        nobody = await ran(cli, "drain", "--host", "vm-9", url=vhost_url)
        assert (nobody.code, nobody.out) == (7, "")
        assert nobody.sentence.startswith(f"error: no host answered for vm-9 within 0.3 s: {known}")


async def test_a_host_that_does_not_obey_beside_one_that_does_is_an_error_and_named(
    cli: Cli, vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.cli.orders.OBEYING_SECONDS", 1.0)
    async with agent_world(Asker(name="asker"), Asker(name="other"), amqp_url=vhost_url, host_name="vm-1") as world:
        client = world.client
        async with ControlLink(client.broker, client.topology, "vm-2", ["asker"], lambda _: None):  # as if stopped
            await wait_until(lambda: _knows(client, "vm-2"), what="the word of the host that hangs")
            both = await ran(cli, "pause", "--all", url=vhost_url)
            one = await ran(cli, "resume", "other", url=vhost_url)
            here = await ran(cli, "resume", "asker", "--host", "vm-1", url=vhost_url)
            drained = await ran(cli, "drain", "--host", "vm-2", url=vhost_url)
    assert (both.code, both.out) == (7, "paused: asker on vm-1\npaused: other on vm-1\n")
    assert both.sentence.startswith("error: not all have obeyed within 1 s: vm-2 (asker): it is connected and does not")
    assert (drained.code, drained.out) == (7, "")
    assert drained.sentence.startswith("error: not all have obeyed within 1 s: vm-2: it is connected and does not")
    assert (one.code, one.out, here.code, here.out) == (0, "resumed: other on vm-1\n", 0, "resumed: asker on vm-1\n")


async def _knows(client: Client, host: str) -> bool:
    return host in (await live_hosts(client.broker, client.topology) or ())


async def test_a_host_that_ends_is_not_waited_for_and_has_obeyed_a_second_drain(cli: Cli, vhost_url: str) -> None:
    gate = Gate()
    staff = [Holder(gate), Asker(name="asker")]
    async with (
        agent_world(*staff, amqp_url=vhost_url, grace_period=60, health_check_interval=60, host_name="vm-1") as world,
        agent_world(Asker(name="asker"), amqp_url=vhost_url, health_check_interval=60, host_name="vm-2"),
    ):
        await world.client.submit("holder", "x")
        await gate.next()
        stopping = asyncio.create_task(world.host.stop(), name="stop")
        await wait_until(lambda: world.host.reporter.stage == "draining", what="the drain")
        drained = await ran(cli, "drain", "--host", "vm-1", url=vhost_url)
        paused = await ran(cli, "pause", "asker", url=vhost_url)
        gate.leave.set()
        await stopping
    assert (drained.code, drained.out) == (0, "draining: vm-1\n")
    assert (paused.code, paused.out) == (0, "paused: asker on vm-2\n")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_who_is_meant_has_to_be_said_once_and_as_a_name(cli: Cli, command: str) -> None:
    sentence = f"error: choose what to {command}: the names of agents, or --all"
    assert [(ran.code, ran.sentence) for ran in (cli(command), cli(command, "a", "--all"))] == [(2, sentence)] * 2
    misspelt = cli(command, "A b")
    assert (misspelt.code, "agent = 'A b': use lower-case letters" in misspelt.sentence) == (2, True)


def test_all_that_was_named_must_answer_and_what_more_answers_is_told_too() -> None:
    answers = Answers(["a", "b"])
    assert [answers.add(Answer("a", "h2")), answers.add(Answer("a", "h1")), answers.add(Answer("a", "h2", "late"))] == [
        True,
        True,
        False,
    ]
    assert (answers.is_complete, answers.missing) == (False, ["b"])
    answers.add(Answer("b", "h1"))
    assert (answers.is_complete, answers.lines()) == (True, ["a on h1, h2 (late)", "b on h1"])


def test_each_host_that_is_known_to_run_an_agent_must_obey_but_those_that_end() -> None:
    crews = {"h1": ["a", "b"], "h2": ["b"], "h3": ["b"]}
    orders: list[Order] = [PauseAgents(agent="b"), PauseAgents(agent="a", host="h1")]
    posts = list(posts_of(orders, crews))
    assert sorted(posts) == [("a", "h1"), ("b", "h1"), ("b", "h2"), ("b", "h3")]
    assert len(list(posts_of([PauseAgents()], crews))) == 4
    assert list(posts_of([DrainHost(host="h1"), DrainHost(host="h9")], crews)) == [("h1", "")]
    answers = Answers(["a", "b"], posts)
    for name in ("a", "b"):
        answers.add(Answer(name, "h1"))
    assert (answers.is_complete, answers.missing, answers.silent) == (False, [], {"h2": ["b"], "h3": ["b"]})
    assert (answers.excuse("h2"), answers.excuse("h2"), answers.is_complete) == (True, False, False)
    answers.add(Answer("b", "h3"))
    assert (answers.is_complete, answers.silent) == (True, {})


def test_where_nobody_was_named_one_answer_is_enough_and_none_is_not() -> None:
    answers = Answers([])
    assert not answers.is_complete
    answers.add(Answer("vm-1"))
    assert (answers.is_complete, answers.lines()) == (True, ["vm-1"])


class ObeyedByTwo(MemoryBroker):
    """Two hosts pause at once, which nobody knew of before; the second one tells it after the first."""

    async def publish(self, exchange: str, key: str, message: Message, **options: Any) -> None:
        await super().publish(exchange, key, message, **options)
        if key == "asker":
            for host in ("vm-1", "vm-2"):
                report = encode_report(reports.agent("asker", host))
                self.announce(Topology().metrics, report_key("asker", ReportKind.AGENT), report)


async def test_after_the_last_one_that_was_awaited_others_have_a_moment_to_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("agents.cli.orders.QUIET_SECONDS", 0.2)
    monkeypatch.setattr("bus.live_hosts.LOOK_SECONDS", 0)

    def answer_of(report: Report) -> Answer | None:
        return Answer(report.agent, report.host) if isinstance(report, AgentReport) else None

    async with ObeyedByTwo("orders-quiet") as broker:
        for plan in (Topology().shared(), Topology().agent("asker")):
            await broker.declare(plan)
        chosen = Connected(settings_for(memory_url()), broker)
        await carried_out(chosen, [PauseAgents(agent="asker")], ["asker"], answer_of, "paused")
    assert capsys.readouterr().out == "paused: asker on vm-1, vm-2\n"


def test_who_was_not_meant_has_not_obeyed() -> None:
    answers = Answers(["a"])
    assert not answers.add(Answer("b", "h1"))
    assert (answers.is_complete, answers.lines()) == (False, [])
