"""The exporter reads in the control log which agents have been here: also in one that hangs, or takes long."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from agents.exporter import exporter as exporter_module
from agents.exporter.exporter import Exporter
from bus.client import Client
from bus.codec import encode_control
from bus.errors import BusError, ConnectionLost
from bus.message import Message
from bus.topology import Topology
from schemas import Hello
from tests.support.agent_world import Asker, agent_world, connected_client, memory_url, settings_for
from tests.support.clock import FakeClock
from tests.support.deaf_broker import DeafBroker
from tests.support.metrics_page import until
from tests.support.waiting import wait_until


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


async def test_the_queues_of_agents_whose_hosts_went_before_the_exporter_came_are_on_the_page(amqp_url: str) -> None:
    clock = FakeClock()
    async with connected_client(settings_for(amqp_url)) as client:
        async with agent_world(Asker(name="local"), amqp_url=amqp_url):
            pass
        await client.submit("local", "for nobody")
        async with Exporter(client, interval=60, clock=clock) as exporter:
            page = await until(exporter, clock, "sutazai_queue_ready", 1, agent="local")
    assert page("sutazai_queue_consumers", agent="local") == 0
    assert page("sutazai_tasks_total", agent="local", status="failed") == 0


class StuckLogBroker(DeafBroker):
    """Its control log tells of two hosts and then hangs, or fails; once it `is_well` it tells of all three."""

    fault: BusError | None = None
    is_well = False

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Tell what a log of hosts does."""
        del name, since
        for number in (1, 2):
            yield encode_control(Hello(host=f"host-{number}", agents=(f"agent-{number}",)))
        if self.fault is not None and not self.is_well:
            raise self.fault
        if not self.is_well:
            await asyncio.Event().wait()
        yield encode_control(Hello(host="host-3", agents=("agent-3",)))


@pytest.mark.parametrize("fault", [None, ConnectionLost("gone")])
async def test_what_a_control_log_tells_before_it_hangs_is_known_and_the_rest_once_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch, fault: BusError | None
) -> None:
    monkeypatch.setattr(exporter_module, "LOG_SILENT_SECONDS", 0.05)
    monkeypatch.setattr(exporter_module, "LOG_AGAIN_SECONDS", 0.05)
    clock, topology = FakeClock(), Topology()
    async with StuckLogBroker("exporter-stuck") as broker:
        broker.fault = fault
        for plan in (topology.shared(), *(topology.agent(f"agent-{number}") for number in (1, 2, 3))):
            await broker.declare(plan)
        with capture_logs() as logged:
            async with Exporter(Client(broker), interval=60, clock=clock) as exporter:
                await wait_until(lambda: logged, what="the warning")
                page = await until(exporter, clock, "sutazai_queue_ready", 0, agent="agent-2")
                assert page("sutazai_queue_ready", agent="agent-3") is None
                broker.is_well = True
                await until(exporter, clock, "sutazai_queue_ready", 0, agent="agent-3")
    reason = "no word in 0.05 s" if fault is None else "gone"
    assert {(line["event"], line["reason"]) for line in logged} == {("exporter.control_log_silent", reason)}


class SlowLogBroker(DeafBroker):
    """Its control log takes 0.6 s, with a word each 50 ms."""

    async def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Tell of twelve hosts."""
        del name, since
        for number in range(12):
            await asyncio.sleep(0.05)
            yield encode_control(Hello(host=f"host-{number}", agents=(f"agent-{number}",)))


async def test_a_control_log_that_takes_long_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter_module, "LOG_SILENT_SECONDS", 0.3)
    monkeypatch.setattr(exporter_module, "LOG_AGAIN_SECONDS", 0.05)
    clock, topology = FakeClock(), Topology()
    async with (
        SlowLogBroker("exporter-slow-log") as broker,
        Exporter(Client(broker), interval=60, clock=clock) as exporter,
    ):
        for plan in (topology.shared(), topology.agent("agent-11")):
            await broker.declare(plan)
        await until(exporter, clock, "sutazai_queue_ready", 0, agent="agent-11")


async def test_without_a_control_log_an_exporter_asks_no_more_and_warns_of_nothing() -> None:
    clock = FakeClock()
    with capture_logs() as logged:
        async with (
            DeafBroker("exporter-no-log") as broker,
            Exporter(Client(broker), interval=60, clock=clock) as exporter,
        ):
            await broker.declare(Topology().shared())
            await until(exporter, clock, "sutazai_queue_unrouted", 0)
            assert exporter.connected
    assert logged == []
