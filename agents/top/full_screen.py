"""Running the full screen as a command does. Imports Textual, so whoever needs no screen leaves it alone."""

import asyncio

from agents.top.app import TopApp
from agents.top.watch import Watch
from bus.client import Client
from bus.ending import end_tasks


async def show_screen(client: Client, interval: float, stop: asyncio.Event) -> int:
    """Show the fleet until its user leaves, or `stop` is set. Returns the exit code."""
    async with Watch(client, interval=interval) as watch:
        app = TopApp(watch)
        stopping = asyncio.create_task(_leave_at(stop, app), name="top:stop")
        try:
            await app.run_async()
        finally:
            await end_tasks([stopping])
    return app.return_code or 0


async def _leave_at(stop: asyncio.Event, app: TopApp) -> None:
    await stop.wait()
    app.action_interrupt()
