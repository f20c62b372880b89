"""Tracing an agent in somebody's own program does not hold up that program."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from agents.core.settings import SettingsError, load_settings
from agents.core.tracing.batches import END_SECONDS
from agents.core.tracing.traced import traced, traced_async
from tests.support.program import ended

MODULE = traced.__module__

PROGRAM = """
import asyncio
import sys
import time
from agents.core.base_agent_v2 import AgentStatus, BaseAgentV2
from bus.tracing import Kind, tracing

class Echo(BaseAgentV2):
    async def process_task(self, task):
        return {}

async def main():
    ticks = {True: 0, False: 0}

    async def tick():
        while True:
            await asyncio.sleep(0.01)
            ticks["agents.core.tracing.export" in sys.modules] += 1

    ticking = asyncio.create_task(tick())
    agent = Echo(config_path=None)
    running = asyncio.create_task(agent.run_async())
    while agent.status is not AgentStatus.ACTIVE:
        await asyncio.sleep(0.01)
    with tracing().span("ours", Kind.INTERNAL, dict):
        pass
    at_start, before, began = ticks[False], ticks[True], time.monotonic()
    running.cancel()
    await asyncio.wait([running])
    print(at_start, ticks[True] - before, time.monotonic() - began)

asyncio.run(main())
"""


async def test_a_collector_that_never_answers_does_not_hold_up_the_program_that_runs_an_agent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        env = {"SUTAZAI_TRACING": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": url, "AMQP_URL": "memory://one"}
        status, run = await ended(sys.executable, "-c", PROGRAM, env=env)
    assert status == 0, run.err
    at_start, at_end, seconds = map(float, run.out.split())
    assert seconds >= END_SECONDS
    assert (at_start >= 2, at_end >= 20) == (True, True), "of some 30 at the start, while the SDK loads, and 300"


async def test_what_is_wrong_with_the_settings_is_raised() -> None:
    settings = load_settings(tracing="file:/nowhere/spans.jsonl")
    with pytest.raises(SettingsError, match="cannot be written"):
        async with traced_async(settings, "service"):
            pass


async def test_a_program_that_is_cancelled_while_tracing_is_set_up_leaves_no_tracing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, release, left = threading.Event(), threading.Event(), threading.Event()

    @contextmanager
    def slow(_settings: object, _service: str) -> Iterator[None]:
        entered.set()
        release.wait(30)
        yield
        left.set()

    monkeypatch.setattr(f"{MODULE}.traced", slow)

    async def work() -> None:
        async with traced_async(load_settings(), "service"):
            raise AssertionError("it was cancelled before")

    working = asyncio.create_task(work(), name="work")
    await asyncio.to_thread(entered.wait, 10)
    working.cancel()
    release.set()
    await asyncio.wait([working])
    assert (working.cancelled(), left.is_set()) == (True, True)


async def test_two_blocks_at_once_are_set_up_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    def meeting(*_: object) -> AbstractContextManager[None]:
        with pytest.raises(threading.BrokenBarrierError):
            both.wait(0.2)
        return nullcontext()

    monkeypatch.setattr("agents.core.tracing.export.exporting", meeting)
    settings = load_settings(tracing="console")

    async def block() -> None:
        async with traced_async(settings, "service"):
            pass

    await asyncio.gather(block(), block())
