"""What the durations of a reply hold: the load has that of its model, and not the wait for a slot."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from agents.local_model.embedding import embed
from agents.local_model.generation import Finish, generate
from agents.local_model.models import Model
from agents.local_model.options import parse_options
from agents.local_model.residents import Want
from agents.local_model.runner import Event
from agents.local_model.scheduler import Scheduler
from agents.local_model.wire import parse_embed, parse_generate
from tests.agents.local_model.doubles import StubRunner
from tests.agents.local_model.scheduling import settle

Ask = Callable[[Scheduler], Awaitable[tuple[int, int]]]
"""Makes one request, and returns its total_duration and its load_duration."""

MODEL = Model("m:latest", "m:latest", embeds=False)
OPTIONS = parse_options({}, 512)
WANT = Want(MODEL.name, OPTIONS.num_ctx)
END: Event = {
    "content": "",
    "tokens": [1],
    "stop": True,
    "stop_type": "limit",
    "timings": {"prompt_ms": 1, "predicted_ms": 1},
    "tokens_evaluated": 2,
    "tokens_predicted": 1,
}


async def _generated(scheduler: Scheduler) -> tuple[int, int]:
    request = parse_generate(b'{"model": "m", "prompt": "Hi"}')
    (end,) = [part async for part in generate(scheduler, MODEL, request, OPTIONS)]
    assert isinstance(end, Finish)
    return end.metrics["total_duration"], end.metrics["load_duration"]


async def _embedded(scheduler: Scheduler) -> tuple[int, int]:
    request = parse_embed(b'{"model": "m", "input": "Hi"}')
    found = await embed(scheduler, MODEL, request, OPTIONS, normalise=True)
    return found.total_duration, found.load_duration


@pytest.mark.parametrize("ask", [_generated, _embedded])
async def test_the_wait_for_a_slot_is_in_the_total_and_not_in_the_load(ask: Ask) -> None:
    async def start(_: Want) -> StubRunner:
        return StubRunner([END])

    async with Scheduler(start) as scheduler:
        async with scheduler.lease(WANT):
            asked = time.perf_counter_ns()
            asking = asyncio.ensure_future(ask(scheduler))
            await settle()
            waits = time.perf_counter_ns()
            await settle()
            freed = time.perf_counter_ns()
        total, load = await asyncio.wait_for(asking, 2)
    assert 0 < load < waits - asked
    assert total > freed - waits + load


@pytest.mark.parametrize("ask", [_generated, _embedded])
async def test_the_time_until_the_model_is_loaded_is_in_the_load(ask: Ask) -> None:
    gate = asyncio.Event()

    async def start(_: Want) -> StubRunner:
        await gate.wait()
        return StubRunner([END])

    async with Scheduler(start) as scheduler:
        asking = asyncio.ensure_future(ask(scheduler))
        await settle()
        began = time.perf_counter_ns()
        await settle()
        loading = time.perf_counter_ns() - began
        gate.set()
        total, load = await asyncio.wait_for(asking, 2)
    assert loading < load < total
