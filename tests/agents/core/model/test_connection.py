import asyncio

import pytest

from agents.core.model.connection import ConnectionShelf
from agents.core.model.errors import BadModelRequest, ModelServerError
from agents.core.ollama_client import OllamaClient
from tests.support.clock import FakeClock
from tests.support.scripted_ollama import ScriptedOllama


def shelf_with(clock: FakeClock, minimum: int = 0) -> ConnectionShelf:
    server = ScriptedOllama()
    return ConnectionShelf(
        lambda: OllamaClient("http://ollama", transport=server.transport), minimum=minimum, clock=clock
    )


async def test_an_idle_connection_is_a_hit_and_a_new_one_a_miss(clock: FakeClock) -> None:
    shelf = shelf_with(clock)
    async with shelf.lend() as first:
        assert (shelf.active, shelf.idle) == (1, 0)
    async with shelf.lend() as second:
        assert second is first
    assert (shelf.hits, shelf.misses, shelf.active, shelf.idle) == (1, 1, 0, 1)


async def test_the_connection_used_last_is_lent_first(clock: FakeClock) -> None:
    shelf = shelf_with(clock)
    async with shelf.lend() as outer, shelf.lend():
        pass
    async with shelf.lend() as again:
        assert again is outer


async def test_a_broken_connection_is_dropped_and_counted_until_it_is_replaced(clock: FakeClock) -> None:
    shelf = shelf_with(clock)
    with pytest.raises(ModelServerError):
        async with shelf.lend() as broken:
            raise ModelServerError("it broke")
    assert (shelf.broken, shelf.idle, shelf.total) == (1, 0, 1)
    async with shelf.lend() as fresh:
        assert fresh is not broken
        assert (shelf.broken, shelf.active, shelf.total) == (0, 1, 1)


async def test_a_refused_request_leaves_its_connection_in_use(clock: FakeClock) -> None:
    shelf = shelf_with(clock)
    with pytest.raises(BadModelRequest):
        async with shelf.lend():
            raise BadModelRequest("no")
    assert (shelf.broken, shelf.idle) == (0, 1)


async def test_a_cancelled_request_costs_its_connection_but_counts_as_no_failure(clock: FakeClock) -> None:
    shelf = shelf_with(clock)
    with pytest.raises(asyncio.CancelledError):
        async with shelf.lend():
            raise asyncio.CancelledError
    assert (shelf.broken, shelf.idle, shelf.active) == (0, 0, 0)


async def test_the_minimum_is_made_at_the_start_and_kept(clock: FakeClock) -> None:
    shelf = shelf_with(clock, minimum=2)
    shelf.fill()
    shelf.fill()
    assert shelf.idle == 2
    clock.now = 1000
    await shelf.sweep(300)
    assert shelf.idle == 2


async def test_only_what_was_idle_long_enough_is_swept(clock: FakeClock) -> None:
    shelf = shelf_with(clock)
    async with shelf.lend(), shelf.lend():
        clock.now = 100
    async with shelf.lend() as young:
        clock.now = 300
    await shelf.sweep(200)
    assert shelf.idle == 1
    async with shelf.lend() as left:
        assert left is young


async def test_a_lent_connection_is_closed_when_it_comes_back_after_the_end(clock: FakeClock) -> None:
    shelf = shelf_with(clock, minimum=1)
    async with shelf.lend():
        shelf.fill()
        await shelf.close()
    assert (shelf.idle, shelf.active, shelf.total) == (0, 0, 0)
