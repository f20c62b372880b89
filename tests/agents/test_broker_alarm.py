"""An alarm of RabbitMQ, on a real node: who asks the fleet is told of it and of nobody's death, and in time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.core.host_stage import HostStage
from agents.core.pages.host_pages import pages_of as pages_of_host
from agents.exporter.exporter import Exporter
from agents.exporter.pages import pages_of
from bus.alarm import ALARM
from bus.client import Client
from bus.private_node import PrivateNode
from tests.support.agent_world import AgentWorld, Asker, agent_world, connected_client
from tests.support.fault_world import memory_alarm
from tests.support.metrics_page import MetricsPage
from tests.support.program import ended, sutazai
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:
    with PrivateNode(server=rabbitmq_server, management=False) as running:
        yield running


@asynccontextmanager
async def beside_a_host(node: PrivateNode) -> AsyncIterator[tuple[AgentWorld, Client]]:
    """Yield a world that reports each second, and a client that has published nothing."""
    async with (
        agent_world(Asker(name="asker"), amqp_url=node.amqp_url, health_check_interval=1) as world,
        connected_client(world.host.settings) as client,
    ):
        await wait_until(lambda: world.host.reporter.stage is HostStage.RUNNING, what="the host")
        yield world, client


async def test_the_commands_of_an_operator_end_in_time_with_the_remedy(node: PrivateNode) -> None:
    async with beside_a_host(node), memory_alarm(node):
        status, pause = await asyncio.gather(
            ended(*sutazai("status", "--amqp-url", node.amqp_url)),
            ended(*sutazai("pause", "asker", "--amqp-url", node.amqp_url)),
        )
    assert (status[0], pause[0]) == (7, 7)
    assert f"error: no host can answer: {ALARM}\n" in status[1].err
    assert f"within 5 s: {ALARM}\n" in pause[1].err


async def test_the_exporter_finds_an_alarm_out_and_sees_its_end(node: PrivateNode) -> None:
    async with beside_a_host(node) as (_, client), Exporter(client, interval=30) as exporter:
        health = pages_of(exporter)["/healthz"]

        async def told(alarm: float) -> bool:
            page = MetricsPage((await exporter.page()).decode())
            return page("sutazai_broker_alarm") == alarm and page("sutazai_exporter_connected") == 1

        await wait_until(lambda: told(0), what="no alarm")
        async with memory_alarm(node):
            await wait_until(lambda: told(1), what="the alarm")
            answer = await health()
            assert (answer.status, answer.body.decode()) == (200, f"ok; {ALARM}\n")
        await wait_until(lambda: told(0), what="its end")
        assert (await health()).body == b"ok\n"


async def test_the_health_page_alone_finds_an_alarm_out(node: PrivateNode) -> None:
    async with beside_a_host(node) as (_, client), Exporter(client, interval=30) as exporter, memory_alarm(node):
        health = pages_of(exporter)["/healthz"]

        async def told() -> bool:
            return (await health()).body.startswith(b"ok; RabbitMQ is in an alarm")

        await wait_until(told, what="the alarm")


async def test_a_host_stays_ready_in_an_alarm_and_says_that_it_is(node: PrivateNode) -> None:
    async with beside_a_host(node) as (world, _), memory_alarm(node):
        ready = pages_of_host(world.host)["/readyz"]

        async def told() -> bool:
            answer = await ready()
            assert answer.status == 200
            return answer.body.decode() == f"ready; {ALARM}\n"

        await wait_until(told, what="the alarm")
