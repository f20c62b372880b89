"""A RabbitMQ with streams turned off: everything works but the logs, and what needs them says so."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import BaseAgentV2
from bus.connect import broker_at
from bus.errors import LogUnavailable, TopologyError
from bus.message import Message
from bus.private_node import PrivateNode
from bus.topology import Topology
from schemas import TaskMessage
from tests.support.agent_world import agent_world
from tests.support.bus_world import within
from tests.support.command_line import Cli

WITHOUT_STREAMS = "quorum_queue,implicit_default_bindings,virtual_host_metadata,maintenance_mode_status,user_limits"
"""The other feature flags of 3.10. From 3.12 on streams cannot be turned off any more."""


class Echo(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> object:
        return {"response": task.prompt}


@pytest.fixture(scope="module")
def url(rabbitmq_server: Path) -> Iterator[str]:  # noqa: ARG001 - it must be there
    """The address of a node without streams."""
    with PrivateNode(environment={"RABBITMQ_FEATURE_FLAGS": WITHOUT_STREAMS}, management=False) as node:
        flags = dict(line.split() for line in node.rabbitmqctl("list_feature_flags").splitlines())
        if flags.get("stream_queue") != "disabled":
            pytest.skip("this RabbitMQ cannot turn streams off")
        yield node.amqp_url


async def test_a_log_cannot_be_declared_and_the_broker_goes_on(url: str) -> None:
    topology = Topology()
    async with broker_at(url) as broker:
        for plan in topology.logs():
            with pytest.raises(
                TopologyError, match=r"of type stream are turned off.*enable_feature_flag stream_queue`"
            ):
                await within(broker.declare(plan))
        await broker.declare(topology.shared())
        await broker.publish(topology.tasks, "nobody", Message(b"x"))
        assert await broker.queue_info(topology.unrouted) is not None


async def test_agents_work_and_only_the_past_is_unavailable(url: str) -> None:
    async with agent_world(Echo(name="echo"), amqp_url=url) as world:
        assert (await world.client.ask("echo", "x", timeout=10)).result == {"response": "x"}
        with pytest.raises(LogUnavailable, match="enable_feature_flag stream_queue"):
            await within(anext(world.client.replay(60)))


async def test_the_commands_say_that_streams_are_off(cli: Cli, url: str) -> None:
    ran = await asyncio.to_thread(cli, "topology", "--amqp-url", url)
    assert (ran.code, ran.out.split()[0]) == (0, "declared")
    assert "not declared: sutazai.results.log: queues of type stream are turned off on this broker" in ran.sentence
    assert "not declared: sutazai.control.log: " in ran.sentence
    ran = await asyncio.to_thread(cli, "results", "--since", "1h", "--amqp-url", url)
    assert (ran.code, ran.out) == (4, "")
    assert "error: there is no log 'sutazai.results.log'" in ran.sentence
