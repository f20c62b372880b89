"""A scheduler over stub models, and clients that hold a slot until told to end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

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
