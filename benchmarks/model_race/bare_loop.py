"""The physical limit: the same prompts, sorted by model, sent by a loop that knows nothing but HTTP."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from agents.core.model.completion import NANOSECOND
from benchmarks.model_race.figures import Passage, Run
from benchmarks.model_race.model_server import Server
from benchmarks.model_race.workload import Order


async def sorted_loop(server: Server, orders: Sequence[Order], slots: int, note: Callable[[], None]) -> Run:
    """Send all prompts over one connection for each slot; `note` is called with each answer."""
    left = deque(sorted(orders, key=lambda order: order.model))
    passages: list[Passage] = []
    tokens = 0
    loads = server.loads
    zero = time.monotonic()

    async def send_what_is_left(client: httpx.AsyncClient) -> None:
        nonlocal tokens
        while left:
            order = left.popleft()
            began = time.monotonic() - zero
            last = await _ask(client, order)
            tokens += last["eval_count"]
            its_own = (last[name] * NANOSECOND for name in ("prompt_eval_duration", "eval_duration"))
            passages.append(Passage(order.model, order.priority, 0.0, began, time.monotonic() - zero, *its_own))
            note()

    async with httpx.AsyncClient(base_url=server.url, timeout=None, trust_env=False) as client:  # noqa: S113 - no limit, as far as it goes
        async with asyncio.TaskGroup() as group:
            for number in range(slots):
                group.create_task(send_what_is_left(client), name=f"bare-loop-{number}")
        seconds = time.monotonic() - zero
    return Run(seconds, server.loads - loads, tokens, passages)


async def _ask(client: httpx.AsyncClient, order: Order) -> dict[str, Any]:
    """Return the last line of the answer, which tells what it cost."""
    async with client.stream("POST", "/api/generate", json=order.body()) as reply:
        reply.raise_for_status()
        last: dict[str, Any] = json.loads([line async for line in reply.aiter_lines()][-1])
    if not last.get("done"):
        raise RuntimeError(f"task {order.id} has no whole answer from the model server: {last}")
    return last
