"""The scheduler without a model: keep_alive, clients who leave, loads that fail, the end."""

import asyncio

import pytest

from agents.local_model.errors import EngineError
from agents.local_model.residents import Want
from tests.agents.local_model.doubles import Loader
from tests.agents.local_model.scheduling import A, B, C, Client, names, scheduling, settle, use


async def test_the_idle_model_with_the_shortest_keep_alive_goes_first() -> None:
    async with scheduling(Loader(), max_loaded=2) as (scheduler, _):
        await use(scheduler, A, keep_alive=-1)
        await use(scheduler, B, keep_alive=60)
        await use(scheduler, C)
        assert sorted(names(scheduler)) == ["a", "c"]


async def test_an_idle_model_goes_after_its_keep_alive_and_not_before() -> None:
    loader = Loader()
    async with scheduling(loader, keep_alive=60) as (scheduler, clock):
        await use(scheduler, A)
        clock.advance(59)
        assert names(scheduler) == ["a"]
        clock.advance(1)
        assert names(scheduler) == []
        await settle()
        assert loader.in_memory == 0


async def test_use_starts_the_keep_alive_anew() -> None:
    async with scheduling(Loader(), keep_alive=60) as (scheduler, clock):
        await use(scheduler, A)
        clock.advance(59)
        client = await Client(scheduler, A).started()
        clock.advance(600)
        assert names(scheduler) == ["a"]
        assert scheduler.residents[0].expires_at(clock.now()) == clock.now() + 60
        await client.end()
        clock.advance(59)
        assert names(scheduler) == ["a"]


async def test_a_keep_alive_that_was_asked_for_sticks_for_later_requests() -> None:
    async with scheduling(Loader(), keep_alive=60) as (scheduler, clock):
        await use(scheduler, A, keep_alive=10)
        await use(scheduler, A)
        clock.advance(10)
        assert names(scheduler) == []


@pytest.mark.parametrize(("keep_alive", "left"), [(-1, ["a"]), (0, [])])
async def test_a_model_stays_for_ever_or_not_at_all(keep_alive: float, left: list[str]) -> None:
    async with scheduling(Loader(), keep_alive=keep_alive) as (scheduler, clock):
        await use(scheduler, A)
        clock.advance(1e9)
        assert names(scheduler) == left


async def test_the_model_that_stays_longest_is_listed_first() -> None:
    async with scheduling(Loader(), max_loaded=3) as (scheduler, _):
        await use(scheduler, A, keep_alive=10)
        await use(scheduler, B, keep_alive=-1)
        await use(scheduler, C, keep_alive=20)
        assert names(scheduler) == ["b", "c", "a"]


async def test_an_unload_on_request_waits_for_the_running_request() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        client = await Client(scheduler, A).started()
        scheduler.expire("a")
        assert loader.in_memory == 1
        await client.end()
        assert names(scheduler) == []
        scheduler.expire("a")


async def test_an_unload_on_request_of_an_idle_model_happens_now() -> None:
    async with scheduling(Loader()) as (scheduler, _):
        await use(scheduler, A)
        scheduler.expire("a")
        assert names(scheduler) == []


async def test_a_client_who_leaves_the_queue_is_never_served() -> None:
    loader = Loader()
    async with scheduling(loader, max_queue=1) as (scheduler, _):
        busy = await Client(scheduler, A).started()
        head, waiting = Client(scheduler, B), Client(scheduler, C)
        await settle()
        await waiting.leave()
        assert scheduler.queued == 0
        await head.leave()
        await busy.end()
        await settle()
    assert loader.loads == [A]


async def test_a_model_nobody_waits_for_any_more_need_not_go() -> None:
    loader = Loader()
    async with scheduling(loader, keep_alive=60) as (scheduler, clock):
        busy = await Client(scheduler, A).started()
        head = Client(scheduler, B)
        await settle()
        await head.leave()
        await settle()
        await busy.end()
        await use(scheduler, A)
        clock.advance(60)
        assert names(scheduler) == []
    assert loader.loads == [A]


async def test_a_request_that_ends_as_the_waiting_client_leaves_keeps_its_timer() -> None:
    async with scheduling(Loader(), keep_alive=60) as (scheduler, clock):
        busy = await Client(scheduler, A).started()
        head = Client(scheduler, B)
        await settle()
        head.task.cancel()
        await busy.end()
        await settle()
        clock.advance(60)
        assert names(scheduler) == []


async def test_a_load_goes_on_when_its_client_leaves() -> None:
    loader = Loader()
    loader.gate.clear()
    async with scheduling(loader, keep_alive=60) as (scheduler, clock):
        impatient = Client(scheduler, A)
        await settle()
        await impatient.leave()
        loader.gate.set()
        await settle()
        await use(scheduler, A)
        assert loader.loads == [A]
        clock.advance(60)
        assert names(scheduler) == []


async def test_a_client_who_leaves_in_the_moment_it_is_served_gives_the_model_back() -> None:
    loader = Loader()
    loader.gate.clear()
    async with scheduling(loader, keep_alive=60) as (scheduler, clock):
        client = Client(scheduler, A)
        await settle()
        loader.gate.set()
        for _ in range(20):
            await asyncio.sleep(0)
            if scheduler.residents:
                break
        await client.leave()
        assert not scheduler.residents[0].busy
        clock.advance(60)
        assert names(scheduler) == []


async def test_a_client_who_leaves_while_waiting_for_a_slot_frees_its_place() -> None:
    async with scheduling(Loader()) as (scheduler, _):
        first = await Client(scheduler, A).started()
        second = Client(scheduler, A)
        await settle()
        await second.leave()
        assert scheduler.residents[0].users == 1
        await first.end()


async def test_a_model_that_cannot_be_loaded_fails_its_request_and_no_other() -> None:
    async with scheduling(Loader()) as (scheduler, _):
        broken, fine = Client(scheduler, Want("broken", 512)), Client(scheduler, A)
        with pytest.raises(EngineError, match="could not be loaded"):
            await broken.task
        await (await fine.started()).end()


async def test_a_failed_load_whose_client_left_troubles_nobody() -> None:
    loader = Loader()
    loader.gate.clear()
    async with scheduling(loader) as (scheduler, _):
        client = Client(scheduler, Want("broken", 512))
        await settle()
        await client.leave()
        loader.gate.set()
        await use(scheduler, A)


async def test_a_model_whose_process_died_is_loaded_again() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        client = await Client(scheduler, A, keep_alive=0).started()
        loader.runners[0].alive = False
        assert names(scheduler) == []
        second = await Client(scheduler, A).started()
        await client.end()
        await second.end()
        assert names(scheduler) == ["a"]
    assert loader.loads == [A, A]


async def test_stopping_unloads_everything_and_tells_those_who_wait() -> None:
    loader = Loader()
    async with scheduling(loader) as (scheduler, _):
        await use(scheduler, A)
        loader.gate.clear()
        waiting = [Client(scheduler, B), Client(scheduler, C)]
        await settle()
    assert loader.in_memory == 0
    for client in waiting:
        with pytest.raises(EngineError, match="the server is stopping"):
            await client.task
