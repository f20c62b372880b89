"""The in-memory log's own rules; what it shares with a stream is in the contract."""

from datetime import UTC, datetime, timedelta

from bus.memory import MemoryBroker
from bus.memory_log import KEPT, MemoryLog
from bus.message import Message
from bus.topology import Topology
from tests.support.bus_world import taking, within

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_came_at_the_moment_itself_is_included() -> None:
    times = iter(START + timedelta(seconds=n) for n in range(3))
    log = MemoryLog("log", {}, lambda: next(times))
    for number in range(3):
        log.put(Message(b"%d" % number), "k")
    assert [message.body for message in log.since(START + timedelta(seconds=1))] == [b"1", b"2"]


def test_the_oldest_is_forgotten_beyond_the_bound() -> None:
    log = MemoryLog("log", {}, lambda: START)
    for number in range(KEPT + 2):
        log.put(Message(b"%d" % number), "k")
    assert log.ready == KEPT
    assert log.since(START)[0].body == b"2"


async def test_a_subscription_to_a_log_takes_nothing_from_it() -> None:
    topology = Topology()
    async with MemoryBroker("test-memory-log") as broker:
        for plan in topology.logs():
            await broker.declare(plan)
        async with taking(broker, topology.results_log) as taken:
            await broker.publish(topology.results, "a.completed", Message(b"x"))
            found = [message.body async for message in broker.read_log(topology.results_log, START)]
            assert await within(broker.queue_info(topology.results_log))
            assert taken.deliveries.empty()
    assert found == [b"x"]
