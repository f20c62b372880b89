"""The scheduler without a model: turns, room and slots."""

import asyncio

from agents.local_model.errors import ServerBusyError
from agents.local_model.residents import Want
from tests.agents.local_model.doubles import Loader
from tests.agents.local_model.scheduling import A, B, C, Client, names, scheduling, settle, use


async def test_a_loaded_model_is_used_again_without_loading() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        await use(scheduler, A)
        await use(scheduler, A)
    assert loader.loads == [A]


async def test_another_model_takes_the_place_of_the_first() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        await use(scheduler, A)
        await use(scheduler, B)
        assert names(scheduler) == ["b"]
        assert loader.in_memory == 1


async def test_two_models_stay_where_there_is_room_for_two() -> None:
    async with scheduling(Loader(), max_loaded=2) as (scheduler, _):
        await use(scheduler, A)
        await use(scheduler, B)
        assert sorted(names(scheduler)) == ["a", "b"]


async def test_another_context_reloads_the_model() -> None:
    loader = Loader()
    async with scheduling(loader, max_loaded=2) as (scheduler, _):
        await use(scheduler, A)
        await use(scheduler, Want("a", 1024))
        assert loader.in_memory == 1
    assert [want.num_ctx for want in loader.loads] == [512, 1024]


async def test_a_busy_model_is_unloaded_only_when_its_request_has_ended() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        first = await Client(scheduler, A).started()
        second = Client(scheduler, B)
        await settle()
        assert loader.loads == [A]
        await first.end()
        await (await second.started()).end()
    assert loader.loads == [A, B]


async def test_a_model_that_must_go_takes_no_new_requests() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        first = await Client(scheduler, A).started()
        second = Client(scheduler, B)
        await settle()
        late = Client(scheduler, A, keep_alive=-1)
        await first.end()
        await (await second.started()).end()
        await (await late.started()).end()
    assert loader.loads == [A, B, A]


async def test_loads_happen_in_the_order_of_asking() -> None:
    loader = Loader()
    loader.gate.clear()
    async with scheduling(loader) as (scheduler, _):
        clients = [Client(scheduler, want) for want in (C, A, B)]
        await settle()
        assert scheduler.queued == 2
        loader.gate.set()
        for client in clients:
            await (await client.started()).end()
    assert loader.loads == [C, A, B]


async def test_a_loaded_model_serves_as_many_requests_at_once_as_it_has_slots() -> None:
    async with scheduling(Loader(), num_parallel=2) as (scheduler, _):
        first, second = await Client(scheduler, A).started(), await Client(scheduler, A).started()
        third = Client(scheduler, A)
        await settle()
        assert not third.running.is_set()
        await first.end()
        await third.started()
        await second.end()
        await third.end()


async def test_a_full_queue_refuses_at_once_and_counts_neither_the_served_nor_the_loaded() -> None:
    async with scheduling(Loader(), max_queue=2) as (scheduler, _):
        busy = await Client(scheduler, A).started()
        others = [Client(scheduler, B) for _ in range(6)]
        await settle()
        refused = [client for client in others if client.task.done()]
        assert [type(client.task.exception()) for client in refused] == [ServerBusyError] * 3
        await busy.end()
        for client in others:
            if client not in refused:
                await (await client.started()).end()


async def test_a_queue_of_nothing_still_serves_one_request_after_the_other() -> None:
    loader = Loader()
    async with scheduling(loader, max_queue=0) as (scheduler, _):
        await use(scheduler, A)
        await use(scheduler, B)
    assert loader.loads == [A, B]


async def test_holding_a_model_needs_no_slot() -> None:
    async with scheduling(Loader()) as (scheduler, _):
        client = await Client(scheduler, A).started()
        async with asyncio.timeout(1), scheduler.hold(A) as resident:
            assert resident.users == 2
        await client.end()
