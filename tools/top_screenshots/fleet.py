"""What the pictures show: two hosts with all agents at work, in real processes of our own."""

import asyncio
import contextlib
import itertools
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from agents.core.catalog import CATALOG, load_catalog
from bus.client import Client
from bus.connect import broker_at
from bus.errors import BusError
from bus.node_layout import HOST, free_ports
from bus.private_node import PrivateNode

SUTAZAI: Final = (sys.executable, "-m", "agents.cli")

PAIR: Final = ("senior-engineer", "system-architect")
"""The agents that run on both hosts."""

PROMPTS: Final = ("What is a mutex?", "Name three rivers.", "Why is the sky blue?", "Describe a queue in one sentence.")

TASK_SECONDS: Final = 0.4
"""Between two tasks: more than the models can do, so that some wait."""


class LivelyFleet:
    """A running fleet; `client` is one of its broker."""

    def __init__(self, client: Client, second_model: asyncio.subprocess.Process) -> None:
        self.client = client
        self._second_model = second_model

    def break_model(self) -> None:
        """End one of the two model servers that the second host asks."""
        self._second_model.kill()


@asynccontextmanager
async def lively_fleet() -> AsyncIterator[LivelyFleet]:
    """Start a broker, two model servers and two hosts, and feed them tasks for the length of the block."""
    agents = sorted(load_catalog((CATALOG,)))
    urls = [f"http://{HOST}:{port}" for port in free_ports(2)]
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(PrivateNode(management=False))
        models = [
            await stack.enter_async_context(_running("local-model", "--port", url.rpartition(":")[2], says=url))
            for url in urls
        ]
        common = {"AMQP_URL": node.amqp_url, "SUTAZAI_BREAKER_FAILURES": "2"}
        for name, asked, chosen in (("vm-1", urls[0], ("--all",)), ("vm-2", ",".join(urls), PAIR)):
            told = common | {"SUTAZAI_HOST_NAME": name, "OLLAMA_URL": asked}
            await stack.enter_async_context(_running("run", *chosen, says="host.started", **told))
        client = Client(await stack.enter_async_context(broker_at(node.amqp_url, "top-screenshots")))
        feeding = asyncio.create_task(_feed(client, agents), name="feed")
        stack.callback(feeding.cancel)
        yield LivelyFleet(client, models[1])


@asynccontextmanager
async def _running(*arguments: str, says: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `sutazai` for the block, which begins once the program has said `says`."""
    process = await asyncio.create_subprocess_exec(
        *SUTAZAI,
        *arguments,
        env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    reading = asyncio.create_task(_read(process, says, started := asyncio.Event()), name=f"read:{arguments[0]}")
    try:
        begun = asyncio.create_task(started.wait(), name=f"start:{arguments[0]}")
        await asyncio.wait((begun, reading), return_when=asyncio.FIRST_COMPLETED)
        if not started.is_set():
            raise SystemExit(f"sutazai {arguments[0]} has ended before it said {says!r}: {reading.result()}")
        yield process
    finally:
        begun.cancel()
        if process.returncode is None:
            process.kill()
        await reading
        await process.wait()


async def _read(process: asyncio.subprocess.Process, says: str, started: asyncio.Event) -> str:
    """Read to the end, so that the program never waits for a reader; return the last line."""
    last = ""
    if process.stdout is not None:
        async for line in process.stdout:
            last = line.decode()
            if says in last:
                started.set()
    return last


async def _feed(client: Client, agents: list[str]) -> None:
    """Submit tasks for ever: most of them to a few agents, and some that are refused and become dead letters."""
    chance = random.Random(7)  # noqa: S311 - nothing secret
    favourites = [*PAIR, *agents[:4]]
    for number in itertools.count():
        is_refused = number % 9 == 0
        options = {"num_predict": 8, "temperature": "hot"} if is_refused else {"num_predict": chance.randint(8, 30)}
        agent = chance.choice(favourites if number % 3 else agents)
        with contextlib.suppress(BusError):
            await client.submit(agent, chance.choice(PROMPTS), options=options)
        await asyncio.sleep(TASK_SECONDS)
