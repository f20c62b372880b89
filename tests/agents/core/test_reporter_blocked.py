"""A broker that takes nothing for a while: the last reports wait for it, and no task waits for a report."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from agents.core.ollama_pool import OllamaConnectionPool
from bus.announcements import EVENTS_HELD
from bus.broker import LinkState
from bus.private_node import PrivateNode
from schemas import ReportKind
from tests.support.agent_world import Gate, Holder, agent_world
from tests.support.fault_world import memory_alarm
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:
    with PrivateNode(server=rabbitmq_server, management=False) as running:
        yield running


class Told(Holder):
    """Counts the reports on it."""

    told = 0

    def health(self, pool: OllamaConnectionPool, *, ollama_healthy: bool) -> dict[str, Any]:
        self.told += 1
        return super().health(pool, ollama_healthy=ollama_healthy)


async def test_work_goes_on_while_reports_take_each_others_places_before_a_blocked_broker(node: PrivateNode) -> None:
    gate = Gate()
    staff = [Told(gate, name=f"holder-{number}") for number in range(30)]
    async with (
        agent_world(*staff, amqp_url=node.amqp_url, health_check_interval=0.02) as world,
        world.client.results() as results,
        world.client.reports(kind=ReportKind.HOST) as reports,
        AsyncExitStack() as alarm,
        asyncio.timeout(30),
    ):
        broker = world.host.broker
        tasks = [await world.client.submit(agent.name, "x") for agent in staff[:2]]
        await alarm.enter_async_context(memory_alarm(node))
        await wait_until(lambda: broker.links["publishing"] is LinkState.BLOCKED, what="the block")
        enough = staff[0].told + 2 * EVENTS_HELD // len(staff)
        await wait_until(lambda: staff[0].told >= enough, what="more reports than events may wait")
        assert {await gate.next(), await gate.next()} == {task.id for task in tasks}
        gate.leave.set()
        await wait_until(lambda: gate.running == 0, what="the handlers' end")
        await alarm.aclose()
        assert {(await anext(results)).task_id, (await anext(results)).task_id} == {task.id for task in tasks}
        await anext(reports)
