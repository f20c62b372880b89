import asyncio

import pytest

from agents.core.model.thread_calls import ThreadCalls


async def answer() -> str:
    return "ok"


async def test_a_call_within_the_block_is_answered() -> None:
    async with ThreadCalls() as calls:
        assert await calls.run(answer) == "ok"


async def test_the_end_of_the_block_ends_what_still_runs_and_waits_for_its_end() -> None:
    begun, steps = asyncio.Event(), []

    async def never() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    async with asyncio.timeout(5), ThreadCalls() as calls:
        running = asyncio.create_task(calls.run(never), name="running")
        await begun.wait()
    assert steps == ["cleaned up"]
    assert running.cancelled()


async def test_after_the_block_nothing_is_asked() -> None:
    asked: list[str] = []

    async def ask() -> None:
        asked.append("too late")

    async with ThreadCalls() as calls:
        pass
    with pytest.raises(asyncio.CancelledError, match="the task that this thread works for is over"):
        await calls.run(ask)
    assert asked == []
