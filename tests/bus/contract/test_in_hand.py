"""A consumer tells which tasks it holds, and a result which host gave it; over both brokers."""

from bus.errors import PermanentError
from schemas import now
from tests.support.at_work import raising
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.fault_world import every_result
from tests.support.faulty_brokers import LateConfirms
from tests.support.waiting import wait_until


async def test_a_task_is_told_while_it_is_held_and_not_any_longer(world: World) -> None:
    worker = Worker(hold=True)
    began = now()
    async with world.consumer(worker, prefetch=2) as consumer:
        assert consumer.in_hand == []
        task = await world.client.submit(AGENT, "x")
        await worker.next()
        held = consumer.in_hand
        worker.leave.set()
        await wait_until(lambda: not consumer.in_hand, what="the settlement")
    assert [(told.id, told.attempt, told.state) for told in held] == [(task.id, 1, "running")]
    assert began <= held[0].since <= now()


async def test_a_task_whose_result_waits_for_the_broker_is_told_as_such(world: World) -> None:
    slow = LateConfirms(world.broker, world.topology.results)
    async with world.consumer(Worker(), broker=slow) as consumer:
        await world.client.submit(AGENT, "x")
        await wait_until(lambda: [told.state for told in consumer.in_hand] == ["settling"], what="the settlement")
        slow.confirm.set()
        await wait_until(lambda: not consumer.in_hand, what="its end")


async def test_a_result_tells_which_host_gave_it(world: World) -> None:
    async with every_result(world) as results, world.consumer(raising(PermanentError("never"))) as consumer:
        await world.client.submit(AGENT, "fails")
        failed = await within(anext(results))
        await world.client.submit(AGENT, "succeeds")
        done = await within(anext(results))
        await world.publish_plain(AGENT, "not json", {})
        unreadable = await within(anext(results))
        await within(consumer.stop(grace=5))
    assert [result.host for result in (failed, done, unreadable)] == ["host-1"] * 3
