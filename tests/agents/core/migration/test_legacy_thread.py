"""Threads for old code: they end with what they were made for, and never keep a process."""

import asyncio
import gc
import sys
import threading
from pathlib import Path

import pytest

from agents.core.migration.legacy_thread import LegacyCall, LegacyThreads
from tests.support.program import ended
from tests.support.waiting import wait_until

LIMIT = 10.0


def running(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"legacy:{name}#")]


async def test_the_threads_end_with_their_object() -> None:
    threads = LegacyThreads("short")
    threads.grow_to(3)
    threads.grow_to(2)
    assert sorted(thread.name for thread in running("short")) == [f"legacy:short#{n}" for n in (1, 2, 3)]
    assert all(thread.daemon for thread in running("short"))
    del threads
    gc.collect()
    await wait_until(lambda: not running("short"), what="the threads to end")


async def test_a_call_that_is_not_wanted_any_more_before_it_began_is_never_made() -> None:
    threads, hold, made = LegacyThreads("queued"), threading.Event(), list[str]()
    first, second, third = LegacyCall(hold.wait), LegacyCall(lambda: made.append("second")), LegacyCall(hold.is_set)
    for call in (first, second, third):
        threads.start(call)
    waiting = asyncio.create_task(second.result(), name="waiting")
    await wait_until(lambda: not first.is_queued(), what="the first call")
    assert second.is_queued()
    waiting.cancel()
    await asyncio.wait([waiting])
    hold.set()
    async with asyncio.timeout(LIMIT):
        assert await third.result() is True
    assert made == []


async def test_a_cancelled_coroutine_that_goes_on_is_not_heard_and_its_thread_takes_the_next_call() -> None:
    threads, begun = LegacyThreads("stubborn"), threading.Event()

    async def stubborn() -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return "in spite of all"

    call = LegacyCall(stubborn)
    threads.start(call)
    waiting = asyncio.create_task(call.result(), name="waiting")
    assert await asyncio.to_thread(begun.wait, LIMIT)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    following = LegacyCall(lambda: "next")
    threads.start(following)
    async with asyncio.timeout(LIMIT):
        assert await following.result() == "next"


async def test_a_coroutine_that_cancels_itself_is_told_as_cancelled() -> None:
    async def giving_up() -> None:
        raise asyncio.CancelledError

    threads, call = LegacyThreads("giving-up"), LegacyCall(giving_up)
    threads.start(call)
    with pytest.raises(asyncio.CancelledError):
        await call.result()


PROGRAM = """
import sys, threading
from agents.core.migration.legacy_thread import LegacyCall, LegacyThreads

threads, begun = LegacyThreads("endless"), threading.Event()

def endless():
    begun.set()
    threading.Event().wait()

threads.start(LegacyCall(endless))
begun.wait()
print("leaving")
"""


async def test_a_thread_that_never_ends_keeps_no_process_alive(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    async with asyncio.timeout(40):
        code, said = await ended(sys.executable, "program.py", cwd=tmp_path)
    assert (code, said.out, said.err) == (0, "leaving\n", "")
