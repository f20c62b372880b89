"""The pool's figures are true at every moment, whatever happens to its requests."""

import asyncio
from itertools import count
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.errors import ModelError, ModelServerFault
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.scripted_fleet import ScriptedFleet
from tests.support.scripted_ollama import answer, missing, refusal, streamed
from tests.support.waiting import wait_until

ENDINGS = ["ok", "sick", "gone", "busy", "bad", "lacking", "half"]


def ending(name: str) -> httpx.Response | Exception:
    """What a server says to one try."""
    match name:
        case "ok":
            return answer("ok")
        case "gone":
            return httpx.ConnectError("refused")
        case "lacking":
            return missing("tinyllama")
        case "half":
            return streamed({"response": "", "done": False})
    return refusal({"sick": 500, "busy": 503, "bad": 400}[name], "no")


class Ledger:
    """Counts requests from outside, and compares the pool's own figures with that."""

    def __init__(self, pool: OllamaConnectionPool) -> None:
        self.pool = pool
        self.asked = self.succeeded = self.failed = 0

    async def ask(self, prompt: str) -> None:
        self.asked += 1
        try:
            await self.pool.generate(prompt)
        except ModelError:
            self.failed += 1
        else:
            self.succeeded += 1

    def check(self) -> None:
        """Fail unless the figures are true now."""
        stats = self.pool.get_stats()
        assert (stats["total_requests"], stats["failed_requests"]) == (self.asked, self.failed)
        ended = self.succeeded + self.failed
        assert stats["success_rate"] == (self.succeeded / ended if ended else 1.0)
        self._check_connections(stats)

    def _check_connections(self, stats: dict[str, Any]) -> None:
        servers = stats["servers"].values()
        for key in ("active_connections", "idle_connections", "error_connections", "pool_hits", "pool_misses"):
            assert stats[key] == sum(one[key] for one in servers)
        assert stats["active_connections"] <= self.pool.queue.active
        for one in [stats, *servers]:
            parts = [one[f"{state}_connections"] for state in ("active", "idle", "error")]
            assert min(parts) >= 0
            assert sum(parts) == one["total_connections"]
            assert 0 <= one["success_rate"] <= 1
            assert 0 <= one["hit_rate"] <= 1
        assert all(one["active_connections"] <= self.pool.max_connections for one in servers)


async def run(endings: list[str], cancelled: set[int], breaker_failures: int) -> None:
    """Ask one request for each ending and one more for each two, and cancel some of them on their way."""
    fleet, steps = ScriptedFleet(), count()
    for position, name in enumerate(endings):
        fleet["ab"[position % 2]].script.append(ending(name))

    async def nap(_: float) -> None:
        ledger.check()

    pool = OllamaConnectionPool(
        fleet.urls,
        2,
        max_retries=1,
        transport=fleet.transport,
        sleep=nap,
        breaker=lambda name: CircuitBreaker(breaker_failures, 60, ModelServerFault, name=name),
    )
    ledger = Ledger(pool)
    async with pool, asyncio.timeout(30):
        tasks = [asyncio.create_task(ledger.ask(str(n)), name=f"ask-{n}") for n in range(len(endings) * 3 // 2)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            step = next(steps)
            if step in cancelled:
                tasks[step % len(tasks)].cancel()
            ledger.check()
        await asyncio.gather(*tasks, return_exceptions=True)
        ledger.check()
        await wait_until(lambda: pool.queue.active == 0, what="free slots")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ENDINGS), max_size=8), st.sets(st.integers(0, 40), max_size=4), st.integers(1, 6))
def test_the_figures_are_true_at_every_moment(endings: list[str], cancelled: set[int], breaker_failures: int) -> None:
    asyncio.run(run(endings, cancelled, breaker_failures))
