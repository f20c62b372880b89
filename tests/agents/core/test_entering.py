import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from agents.core.entering import AT_ONCE, enter_all


class Doors:
    """Contexts that wait to be let in, and note who is inside."""

    def __init__(self) -> None:
        self.knocked = 0
        self.inside: set[int] = set()
        self.let_in = asyncio.Event()

    @asynccontextmanager
    async def door(self, number: int) -> AsyncIterator[None]:
        self.knocked += 1
        await self.let_in.wait()
        if number < 0:
            raise ValueError(number)
        self.inside.add(number)
        try:
            yield
        finally:
            self.inside.remove(number)


async def test_so_many_are_entered_at_once_and_all_leave_with_the_stack() -> None:
    doors = Doors()
    async with AsyncExitStack() as stack:
        entering = asyncio.create_task(enter_all(stack, [doors.door(n) for n in range(AT_ONCE + 4)]))
        await asyncio.sleep(0)  # the task
        await asyncio.sleep(0)  # its own
        assert doors.knocked == AT_ONCE
        doors.let_in.set()
        await entering
        assert len(doors.inside) == AT_ONCE + 4
    assert not doors.inside


async def test_the_first_error_is_raised_as_it_is_and_what_was_entered_leaves_with_the_stack() -> None:
    doors = Doors()
    doors.let_in.set()
    with pytest.raises(ValueError, match="-1"):
        async with AsyncExitStack() as stack:
            await enter_all(stack, [doors.door(n) for n in (1, 2, -1, 3)])
    assert not doors.inside


async def test_a_cancelled_entering_leaves_no_task_behind() -> None:
    doors = Doors()
    async with AsyncExitStack() as stack:
        entering = asyncio.create_task(enter_all(stack, [doors.door(1)]))
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
    assert asyncio.all_tasks() == {asyncio.current_task()}
