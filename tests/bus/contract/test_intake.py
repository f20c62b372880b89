"""A host with many agents holds no more than its bound, and takes the most urgent next, over both brokers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bus import reception as reception_module
from bus.broker import ConsumerState
from bus.ending import end_tasks
from schemas import Priority, TaskMessage, TaskResult, TaskStatus
from tests.support.bus_world import World, within
from tests.support.fault_world import every_result
from tests.support.intake_world import BoundHost, bound_host
from tests.support.waiting import wait_until

AGENTS = [f"agent-{number}" for number in range(20)]
FLEET = [f"agent-{number}" for number in range(131)]


async def submit(world: World, agents: Sequence[str], priority: int) -> list[TaskMessage]:
    """Submit one task to each of these agents."""
    return list(await asyncio.gather(*(world.client.submit(agent, "x", priority=priority) for agent in agents)))


async def ready(world: World, agents: Sequence[str] = AGENTS) -> int:
    """Return how many tasks wait in the queues of these agents."""
    counts = [await world.ready(world.topology.task_queue(agent)) for agent in agents]
    return sum(count or 0 for count in counts)


async def waiting_is(world: World, count: int) -> bool:
    return await ready(world) == count


async def declare(world: World, agents: Sequence[str] = AGENTS) -> None:
    for agent in agents:
        await world.broker.declare(world.topology.agent(agent))


async def until_settled(world: World, host: BoundHost, waiting: int) -> None:
    """Wait until the host holds its bound, and the rest waits in the queues."""

    async def is_settled() -> bool:
        return host.intake.held == host.held == host.intake.bound and await ready(world) == waiting

    await wait_until(is_settled, what=f"{host.intake.bound} held and {waiting} waiting")


async def until_waiting(host: BoundHost, task: TaskMessage) -> None:
    """Wait until a task waits for the model."""
    await wait_until(lambda: host.gate.has_waiting(task.id), what="the task to wait for the model")


async def results_of(results: AsyncIterator[TaskResult], count: int) -> list[TaskResult]:
    return [await within(anext(results)) for _ in range(count)]


async def work_off(host: BoundHost, count: int) -> None:
    """Work on what gets a slot until so many are done."""
    done = 0
    while done < count:
        done += await host.gate.finished(await host.gate.next())


@asynccontextmanager
async def working_off(*hosts: BoundHost) -> AsyncIterator[None]:
    """Finish all that gets a slot, for the length of a block."""

    async def finish_all(host: BoundHost) -> None:
        while True:
            host.gate.finish(await host.gate.begun.get())

    workers = [asyncio.create_task(finish_all(host)) for host in hosts]
    try:
        yield
    finally:
        await end_tasks(workers)


async def until_unharmed(results: AsyncIterator[TaskResult], count: int) -> None:
    """Wait until so many tasks are done, none of them twice, and none of them taken for lost."""
    ended = await results_of(results, count)
    undone = [result for result in ended if (result.status, result.attempt) != (TaskStatus.COMPLETED, 1)]
    lost = [(result.agent, past.host) for result in ended for past in result.history]
    assert (undone, lost, len({result.task_id for result in ended})) == ([], [], count)


async def test_no_more_than_the_bound_is_held_of_what_waits_in_many_queues(world: World) -> None:
    await declare(world)
    await submit(world, AGENTS * 5, Priority.LOW)
    async with every_result(world) as results, bound_host(world, AGENTS) as host:
        await until_settled(world, host, 92)
        assert {consumer.state for consumer in host.consumers} == {ConsumerState.FULL}
        for _ in range(3):
            await work_off(host, 20)
            assert host.intake.held <= 8
        await work_off(host, 40)
        await until_unharmed(results, 100)
        await wait_until(
            lambda: {consumer.state for consumer in host.consumers} == {ConsumerState.CONSUMING}, what="all to consume"
        )


async def test_a_burst_to_all_agents_is_held_within_the_bound_and_none_of_it_counts_as_lost(world: World) -> None:
    async with every_result(world) as results, bound_host(world, AGENTS) as host:
        await wait_until(
            lambda: {consumer.state for consumer in host.consumers} == {ConsumerState.CONSUMING}, what="all to consume"
        )
        await submit(world, AGENTS, Priority.NORMAL)
        await until_settled(world, host, 12)
        await work_off(host, 20)
        await until_unharmed(results, 20)
    assert await ready(world) == 0


@pytest.mark.classic_queues("priorities are weaker there")
async def test_a_critical_task_starts_next_whatever_waits_in_twenty_queues(world: World) -> None:
    await declare(world)
    await submit(world, AGENTS * 5, Priority.LOW)
    async with every_result(world) as results, bound_host(world, AGENTS) as host:
        await until_settled(world, host, 92)
        working = [await host.gate.next() for _ in range(2)]
        for agent in (AGENTS[-1], working[0].task.agent):
            critical = await world.client.submit(agent, "now", priority=Priority.CRITICAL)
            await until_waiting(host, critical)
            await until_settled(world, host, 93)  # one of the low ones went back for it
            host.gate.finish(working.pop())
            started = await host.gate.next()
            assert started.task.id == critical.id
            working.append(started)
            await until_settled(world, host, 92)
        for attempt in working:
            host.gate.finish(attempt)
        await work_off(host, 100 - 2)
        await until_unharmed(results, 102)


@pytest.mark.classic_queues("priorities are weaker there")
async def test_an_agent_that_holds_all_it_may_gives_up_one_for_its_own_critical_task(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "COOLING_SECONDS", 60)  # what makes room does so at once
    await declare(world)
    await submit(world, [AGENTS[0]] * 5, Priority.LOW)
    async with bound_host(world, AGENTS, slots=1) as host:
        await wait_until(lambda: host.held == 3, what="three held")
        first = await host.gate.next()
        critical = await world.client.submit(AGENTS[0], "now", priority=Priority.CRITICAL)

        await until_waiting(host, critical)
        await wait_until(lambda: host.held == 3, what="a low one to go back")
        host.gate.finish(first)
        assert (await host.gate.next()).task.id == critical.id


@pytest.mark.timeout(240)  # two whole hosts at work took 105 s where seven busy programs shared two cores
@pytest.mark.classic_queues("the places in the queue differ there")
async def test_two_hosts_share_one_task_for_each_of_their_131_agents(world: World) -> None:
    await declare(world, FLEET)
    await submit(world, FLEET, Priority.NORMAL)
    async with (
        every_result(world) as results,
        bound_host(world, FLEET, name="one") as one,
        bound_host(world, FLEET, name="two") as two,
    ):
        await wait_until(lambda: one.held == two.held == 8, 30, what="both hosts to have their share")
        async with working_off(one, two):
            await until_unharmed(results, 131)
        assert min(one.gate.ended, two.gate.ended) >= 131 // 3


@pytest.mark.classic_queues("what is handed back there is a copy")
async def test_what_one_host_hands_back_counts_as_lost_with_no_other(world: World) -> None:
    await declare(world)
    async with (
        every_result(world) as results,
        bound_host(world, AGENTS, bound=2, slots=1, name="one") as one,
        bound_host(world, AGENTS, bound=2, slots=1, name="two") as two,
    ):
        for _ in range(3):
            await submit(world, AGENTS, Priority.NORMAL)  # each burst goes to and fro between them
        async with working_off(one, two):
            await until_unharmed(results, 60)


async def test_a_pause_hands_back_and_takes_nothing_until_it_ends(world: World) -> None:
    await declare(world)
    await submit(world, AGENTS, Priority.NORMAL)
    async with every_result(world) as results, bound_host(world, AGENTS) as host:
        await until_settled(world, host, 12)
        working = [await host.gate.next() for _ in range(2)]
        await asyncio.gather(*(consumer.pause("the model server does not answer") for consumer in host.consumers))
        assert {consumer.state for consumer in host.consumers} == {ConsumerState.PAUSED}
        for attempt in working:
            host.gate.finish(attempt)
        async with working_off(host):  # what waited at the gate goes on: only the pool could end it
            await wait_until(lambda: host.held == 0, what="the last settlement")
        done = host.gate.ended
        await wait_until(lambda: waiting_is(world, 20 - done), what="the rest in the queues")
        for consumer in host.consumers:
            consumer.resume()
        await work_off(host, 20 - done)
        await until_unharmed(results, 20)


async def test_a_cut_loses_nothing_and_the_order_returns(world: World) -> None:
    await declare(world)
    await submit(world, AGENTS * 2, Priority.LOW)
    async with bound_host(world, AGENTS) as host, every_result(world) as results:
        await until_settled(world, host, 32)
        await world.cut()
        ended: set[str] = set()
        async with working_off(host):
            while len(ended) < 40:
                ended.add((await within(anext(results), 20)).task_id)
        assert host.intake.held <= 8


@pytest.mark.classic_queues("priorities are weaker there")
async def test_a_cancelled_task_makes_room_for_the_next(world: World) -> None:
    await declare(world)
    tasks = await submit(world, AGENTS, Priority.LOW)
    async with every_result(world) as results, bound_host(world, AGENTS) as host:
        await until_settled(world, host, 12)
        for consumer in host.consumers:
            consumer.cancel(next(task.id for task in tasks if task.agent == consumer.agent))
        ended = await results_of(results, 20)
        assert {result.status for result in ended} == {TaskStatus.CANCELLED}
        await wait_until(lambda: host.intake.held == 0, what="nothing to be held")
