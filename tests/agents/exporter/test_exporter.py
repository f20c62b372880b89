"""The exporter beside real hosts: what happens in the fleet is on the page."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from agents import BaseAgentV2
from agents.exporter import exporter as exporter_module
from agents.exporter.exporter import Exporter
from bus.broker import Broker, LinkState
from bus.client import Client
from bus.codec import encode_report, encode_result
from bus.connect import broker_at
from bus.memory import MemoryBroker
from bus.message import Message
from bus.routing_keys import report_key, result_key
from bus.topology import Topology
from schemas import Report, ReportKind, TaskMessage, TaskResult, TaskStatus
from tests.support import reports
from tests.support.agent_world import Asker, agent_world, connected_client, memory_url, settings_for
from tests.support.clock import FakeClock
from tests.support.deaf_broker import DeafBroker
from tests.support.metrics_page import MetricsPage, until
from tests.support.proxy import TcpProxy
from tests.support.tripping import trip
from tests.support.waiting import wait_until


class Local(BaseAgentV2):
    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:
        if task.prompt == "fail":
            raise ValueError("no")
        return task.prompt


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


async def test_tasks_hosts_pools_and_queues_of_a_running_fleet_are_on_the_page(amqp_url: str) -> None:
    clock = FakeClock()
    async with (
        agent_world(Asker(name="asker"), Local(name="local"), amqp_url=amqp_url, health_check_interval=0.1) as world,
        Exporter(world.client, interval=3600, clock=clock) as exporter,
    ):
        await world.client.ask("asker", "Hi", timeout=10)
        await world.client.ask("local", "fail", timeout=10)
        await until(exporter, clock, "sutazai_tasks_total", 1, agent="local", status="failed")
        await until(exporter, clock, "sutazai_pool_slots", 2, host="host-1")
        page = await until(exporter, clock, "sutazai_queue_dead", 1, agent="local")
    assert page("sutazai_tasks_total", agent="asker", status="completed") == 1
    assert page.of("sutazai_tokens_total", "direction") == {"in": 10, "out": 4}
    assert page.of("sutazai_queue_consumers", "agent") == {"asker": 1, "local": 1}
    assert page.state("sutazai_consumer_state", agent="asker", host="host-1") == ["consuming"]
    assert page("sutazai_queue_unrouted") == 0
    assert page("sutazai_exporter_connected") == 1


async def test_a_breaker_that_opens_is_on_the_page_within_a_second(amqp_url: str) -> None:
    clock = FakeClock()
    async with (
        agent_world(Asker(name="asker"), amqp_url=amqp_url, health_check_interval=60, breaker_recovery=60) as world,
        Exporter(world.client, interval=3600, clock=clock) as exporter,
    ):
        await until(exporter, clock, "sutazai_breaker_state", 1, state="closed")
        trip(world.host.pool.breaker)
        async with asyncio.timeout(1):
            page = await until(exporter, clock, "sutazai_breaker_state", 1, state="open")
    assert page("sutazai_breaker_trips_total", host="host-1") == 1


async def test_a_result_that_comes_twice_counts_once() -> None:
    clock = FakeClock()
    async with agent_world(Local(name="local")) as world, Exporter(world.client, interval=60, clock=clock) as exporter:
        topology = world.client.topology
        for task_id, redelivered in (("one", False), ("one", True), ("two", True)):
            done = TaskResult(task_id=task_id, status=TaskStatus.COMPLETED, agent="local", redelivered=redelivered)
            key = result_key("local", done.status)
            await world.client.broker.publish(topology.results, key, encode_result(done), mandatory=False)
        await world.client.ask("local", "last", timeout=10)
        await until(exporter, clock, "sutazai_task_processing_seconds_count", 3, agent="local")


async def test_a_result_or_report_with_absurd_numbers_is_passed_over_and_all_others_count(amqp_url: str) -> None:
    clock, absurd = FakeClock(), "1" + "0" * 400
    done = TaskResult(task_id="one", status=TaskStatus.COMPLETED, agent="local")
    host = reports.host("foreign").model_dump_json()
    async with (
        agent_world(Local(name="local"), amqp_url=amqp_url) as world,
        Exporter(world.client, interval=60, clock=clock) as exporter,
    ):
        broker, topology = world.client.broker, world.client.topology
        body = done.model_dump_json().replace('"attempt":1', f'"attempt":{absurd}').encode()
        await broker.publish(topology.results, result_key("local", done.status), Message(body), mandatory=False)
        body = host.replace('"memory_bytes":1000000', f'"memory_bytes":{absurd}').encode()
        broker.announce(topology.metrics, report_key("foreign", ReportKind.HOST), Message(body))
        await world.client.ask("local", "last", timeout=10)
        page = await until(exporter, clock, "sutazai_tasks_total", 1, agent="local", status="completed")
        assert exporter.connected
    assert page("sutazai_host_memory_bytes", host="foreign") is None


class ForeignClient(Client):
    """Brings a result that cannot be counted, and then one that can."""

    @asynccontextmanager
    async def results(self, **_: object) -> AsyncIterator[AsyncIterator[TaskResult]]:
        """Yield both, and no more."""

        async def told() -> AsyncIterator[TaskResult]:
            done = TaskResult(task_id="one", status=TaskStatus.COMPLETED, agent="x")
            yield done.model_copy(update={"attempt": 10**400})
            yield done
            await asyncio.Event().wait()

        yield told()


async def test_what_cannot_be_counted_does_not_end_the_counting() -> None:
    clock = FakeClock()
    async with (
        DeafBroker("exporter-foreign") as broker,
        Exporter(ForeignClient(broker), interval=60, clock=clock) as exporter,
    ):
        await broker.declare(Topology().shared())
        await until(exporter, clock, "sutazai_task_processing_seconds_count", 1, agent="x")
        assert exporter.connected


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


async def test_a_host_that_is_silent_for_three_intervals_leaves_the_page_and_its_agents_queues_stay() -> None:
    clock = FakeClock()
    async with agent_world(Local(name="local")) as world, Exporter(world.client, interval=60, clock=clock) as exporter:
        page = await until(exporter, clock, "sutazai_queue_consumers", 1, agent="local")
        assert page("sutazai_tasks_total", agent="local", status="failed") == 0
        await world.host.stop()
        await until(exporter, clock, "sutazai_queue_consumers", 0, agent="local")
        clock.now += 200
        page = MetricsPage((await exporter.page()).decode())
    assert not [sample for sample in page.samples if "host" in sample.labels]
    assert page("sutazai_queue_consumers", agent="local") == 0


async def test_an_exporter_without_its_broker_says_so_shows_no_queues_and_comes_back(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter_module, "LOOK_SECONDS", 0.5)
    clock, parts = FakeClock(), urlsplit(vhost_url)
    async with (
        agent_world(Local(name="local"), amqp_url=vhost_url, health_check_interval=0.1),
        TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
        broker_at(proxy.url_for(vhost_url), "exporter", "test", patience=10) as broker,
        Exporter(Client(broker), interval=3600, clock=clock) as exporter,
    ):
        await until(exporter, clock, "sutazai_queue_consumers", 1, agent="local")
        assert exporter.connected
        await proxy.refuse()
        page = await until(exporter, clock, "sutazai_exporter_connected", 0)
        assert not exporter.connected
        assert page.of("sutazai_queue_ready", "agent") == {}
        await proxy.heal()
        await until(exporter, clock, "sutazai_exporter_connected", 1)
        await until(exporter, clock, "sutazai_queue_consumers", 1, agent="local")


class FedClient(Client):
    """Brings the reports that a test gives; `given.join` waits until they are taken in."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.given: asyncio.Queue[Report] = asyncio.Queue()

    @asynccontextmanager
    async def reports(self, **_: object) -> AsyncIterator[AsyncIterator[Report]]:
        """Yield them."""

        async def told() -> AsyncIterator[Report]:
            while True:
                yield await self.given.get()
                self.given.task_done()

        yield told()


async def test_while_a_page_is_written_the_fleet_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, begun, go_on = FakeClock(), threading.Event(), threading.Event()

    def slow(collector: Collector) -> bytes:
        begun.set()
        go_on.wait(5)
        return generate_latest(collector)

    broker = MemoryBroker("exporter-slow")
    client = FedClient(broker)
    async with broker, Exporter(client, interval=60, clock=clock) as exporter:
        await broker.declare(Topology().shared())
        with monkeypatch.context() as patch:
            patch.setattr(exporter_module, "generate_latest", slow)
            drawing = asyncio.create_task(exporter.page(), name="page")
            await wait_until(begun.is_set, what="the page")
            assert not drawing.done()
            client.given.put_nowait(reports.host("a"))
            await asyncio.wait_for(client.given.join(), 4)
            go_on.set()
            first = MetricsPage((await drawing).decode())
        await until(exporter, clock, "sutazai_host_gone", 0, host="a")
    assert first("sutazai_host_gone", host="a") is None
    assert first("sutazai_exporter_connected") == 1


async def test_a_host_that_tells_a_longer_interval_stays_on_the_page_for_three_of_its_own() -> None:
    clock = FakeClock()
    slow, quick = reports.host("slow", interval=300), reports.host("quick", interval=30)
    async with MemoryBroker("exporter-mixed") as broker, Exporter(Client(broker), interval=30, clock=clock) as exporter:
        await broker.declare(Topology().shared())
        for report in (slow, quick):
            broker.announce(Topology().metrics, report_key(report.host, ReportKind.HOST), encode_report(report))
        await until(exporter, clock, "sutazai_host_gone", 0, host="quick")
        clock.now += 800
        page = MetricsPage((await exporter.page()).decode())
    assert page.of("sutazai_host_gone", "host") == {"slow": 0, "quick": 1}


async def test_queues_that_cannot_be_looked_at_now_are_not_told_from_before() -> None:
    clock, topology = FakeClock(), Topology()
    async with DeafBroker("exporter-deaf") as broker, Exporter(Client(broker), interval=60, clock=clock) as exporter:
        await broker.declare(topology.shared())
        await until(exporter, clock, "sutazai_queue_unrouted", 0)
        broker.link = LinkState.CONNECTING
        page = MetricsPage((await exporter.page()).decode())
    assert page("sutazai_queue_unrouted") is None
    assert page("sutazai_exporter_connected") == 0
