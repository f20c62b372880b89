import asyncio

import pytest

from agents.core.time_limit import time_limit


class Late(Exception):
    pass


async def test_it_raises_the_given_error_when_the_time_is_up() -> None:
    late = Late()
    with pytest.raises(Late) as caught:
        async with time_limit(0.01, late):
            await asyncio.Event().wait()
    assert caught.value is late


async def test_it_raises_what_a_function_makes_once_the_time_is_up() -> None:
    made: list[Late] = []

    def late() -> Late:
        made.append(Late())
        return made[-1]

    async with time_limit(30, late):
        pass
    assert made == []
    with pytest.raises(Late) as caught:
        async with time_limit(0.01, late):
            await asyncio.Event().wait()
    assert made == [caught.value]


@pytest.mark.parametrize("seconds", [None, 30])
async def test_a_timeout_error_inside_stays_itself(seconds: float | None) -> None:
    inner = TimeoutError("inside")
    with pytest.raises(TimeoutError) as caught:
        async with time_limit(seconds, Late()):
            raise inner
    assert caught.value is inner


async def test_a_timeout_error_raised_in_answer_to_the_limit_stays_itself() -> None:
    async def answer_with_its_own() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TimeoutError("inside") from None

    for expired in (Late(), Late):
        with pytest.raises(TimeoutError, match="inside"):
            async with time_limit(0.01, expired):
                await answer_with_its_own()


async def test_cancellation_from_outside_passes() -> None:
    async def wait() -> None:
        async with time_limit(30, Late()):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
