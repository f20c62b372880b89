"""The scheduler without a model: turns, room, keep_alive, clients who leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from agents.local_model.errors import EngineError, ServerBusyError
from agents.local_model.residents import Want
from agents.local_model.scheduler import Scheduler
from tests.agents.local_model.doubles import Loader, ManualClock

A, B, C = Want("a", 512), Want("b", 512), Want("c", 512)


@asynccontextmanager
async def scheduling(
    loader: Loader, *, max_loaded: int = 1, num_parallel: int = 1, max_queue: int = 8, keep_alive: float = 300
) -> AsyncIterator[tuple[Scheduler, ManualClock]]:
    clock = ManualClock()
    scheduler = Scheduler(
        loader,
        max_loaded=max_loaded,
        num_parallel=num_parallel,
        max_queue=max_queue,
        keep_alive=keep_alive,
        clock=clock,
    )
    async with scheduler:
        yield scheduler, clock


class Client:
    """One request: it holds its slot until told to end."""

    def __init__(self, scheduler: Scheduler, want: Want, keep_alive: float | None = None) -> None:
        self.running = asyncio.Event()
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._use(scheduler, want, keep_alive), name=f"test-client {want.name}")

    async def _use(self, scheduler: Scheduler, want: Want, keep_alive: float | None) -> None:
        async with scheduler.lease(want, keep_alive):
            self.running.set()
            await self._end.wait()

    async def started(self) -> "Client":
        await asyncio.wait_for(self.running.wait(), 2)
        return self

    async def end(self) -> None:
        self._end.set()
        await asyncio.wait_for(self.task, 2)

    async def leave(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def use(scheduler: Scheduler, want: Want, keep_alive: float | None = None) -> None:
    await (await Client(scheduler, want, keep_alive).started()).end()


def names(scheduler: Scheduler) -> list[str]:
    return [resident.want.name for resident in scheduler.residents]


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


async def test_the_idle_model_with_the_shortest_keep_alive_goes_first() -> None:
    async with scheduling(Loader(), max_loaded=2) as (scheduler, _):
        await use(scheduler, A, keep_alive=-1)
        await use(scheduler, B, keep_alive=60)
        await use(scheduler, C)
        assert sorted(names(scheduler)) == ["a", "c"]


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
        while not scheduler.residents:
            await asyncio.sleep(0)
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


async def test_holding_a_model_needs_no_slot() -> None:
    async with scheduling(Loader()) as (scheduler, _):
        client = await Client(scheduler, A).started()
        async with asyncio.timeout(1), scheduler.hold(A) as resident:
            assert resident.users == 2
        await client.end()


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
        client = await Client(scheduler, A).started()
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
