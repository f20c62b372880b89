"""What runs beside the calls goes on after a fault of ours, which is told."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from agents.core.model.engine import PoolEngine
from agents.core.model.pool_queue import pool_queue
from agents.core.model.server import ModelServer
from agents.core.model.servers import ServerGroup


async def no_probe(server: ModelServer) -> None:
    raise AssertionError(server)


async def test_what_crashes_beside_the_calls_is_told_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.core.model.engine.AFTER_CRASH_SECONDS", 0.0)
    queue = pool_queue(["http://ollama"], 1, 1)
    engine = PoolEngine(
        queue, ServerGroup([], queue), no_probe, try_timeout=1, clock=time.monotonic, sleep=asyncio.sleep
    )
    begun = 0
    done = asyncio.Event()

    async def crash_once() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ZeroDivisionError("a fault of ours")
        done.set()

    with capture_logs() as logs:
        engine.own(crash_once, "work")
        async with asyncio.timeout(10):
            await done.wait()
    assert [(log["event"], log["work"], log["log_level"]) for log in logs] == [("pool.work_crashed", "work", "error")]
    await engine.close()
    assert begun == 2
