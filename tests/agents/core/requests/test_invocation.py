import asyncio
import threading
from functools import partial

import pytest

from agents.core.requests.invocation import invoke, is_async


async def answer(prompt: str = "") -> str:
    return f"answer {prompt}"


class Asker:
    async def __call__(self) -> str:
        return "asked"


def test_async_functions_are_told_from_those_that_may_block() -> None:
    assert all(is_async(func) for func in (answer, partial(answer), Asker(), Asker().__call__))
    assert not any(is_async(func) for func in (sorted, lambda: answer("x"), partial(sorted, []), Asker))


async def test_a_sync_function_runs_in_a_thread() -> None:
    assert await invoke(threading.current_thread, (), {}) is not threading.current_thread()


async def test_an_object_with_an_async_call_is_awaited() -> None:
    assert await invoke(Asker(), (), {}) == "asked"


async def test_an_awaitable_that_a_sync_function_returns_is_awaited() -> None:
    assert await invoke(lambda: answer("x"), (), {}) == "answer x"


async def test_a_stop_iteration_in_a_thread_is_an_error_and_not_a_hang() -> None:
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await invoke(next, (iter(()),), {})
