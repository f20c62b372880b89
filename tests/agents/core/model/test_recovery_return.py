"""A server that is back is probed soon, however long it was away; a wedged one is not asked more often for that."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import inf

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.circuit_breaker import Backoff, CircuitBreaker
from agents.core.model.errors import ModelServerError, ModelServerFault
from agents.core.model.limits import PoolLimits
from agents.core.model.pool_queue import pool_queue
from agents.core.model.recovery import LOOK_SECONDS, Recovery
from agents.core.model.server import ModelServer, make_servers
from agents.core.model.servers import ServerGroup
from agents.core.ollama_client import OllamaClient
from tests.support.clock import FakeClock

RECOVERY = 60.0


@dataclass
class Outage:
    """A server whose circuit opens at 0, in a time that passes with its recovery's sleeps alone.

    `answers` says at what times it answers simple questions, `back_at` from when on it generates.
    """

    answers: Callable[[float], bool]
    back_at: float
    luck: float = 0.0
    clock: FakeClock = field(default_factory=FakeClock)
    probes: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    lasts: float = inf
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_closed_or(self, lasts: float = inf) -> list[float]:
        """Let it recover for so many seconds at most, and return the times of its probes."""
        self.lasts = lasts
        queue, limits = pool_queue(["http://ollama"], 1, 1), PoolLimits(1, 0, 1, 1, 0, 1, 1)
        client = partial(OllamaClient, transport=httpx.MockTransport(self._look))
        only, *_ = servers = make_servers(
            {"http://ollama": "http://ollama"}, queue, self._breaker, client, limits, auto_pull=False, clock=self.clock
        )
        recovery = Recovery(ServerGroup(servers, queue), self._probe, sleep=self._sleep)
        await only.breaker.force_open()
        async with asyncio.timeout(30):
            await self.is_over.wait()
        await recovery.close()
        await only.close()
        return self.probes

    def _breaker(self, name: str) -> CircuitBreaker:
        backoff = Backoff(cap=5 * RECOVERY, draw=lambda: self.luck)
        return CircuitBreaker(1, RECOVERY, ModelServerFault, name=name, backoff=backoff, clock=self.clock)

    async def _sleep(self, seconds: float) -> None:
        self.clock.now += seconds
        if self.clock.now >= self.lasts:
            self.is_over.set()
            await asyncio.Event().wait()

    def _look(self, _: httpx.Request) -> httpx.Response:
        self.looks.append(self.clock.now)
        if not self.answers(self.clock.now):
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"version": "0.0.0"})

    async def _probe(self, server: ModelServer) -> None:
        self.probes.append(self.clock.now)
        permit = server.breaker.acquire()
        if self.clock.now < self.back_at:
            permit.failure()
            raise ModelServerError("sick")
        permit.success()
        self.is_over.set()


@settings(max_examples=30)
@given(away=st.floats(0, 5 * RECOVERY, exclude_min=True), luck=st.floats(0, 1))
def test_a_server_that_did_not_answer_is_probed_within_a_second_of_its_return(away: float, luck: float) -> None:
    async def play() -> None:
        outage = Outage(lambda now: now >= away, away, luck)
        *_, last = await outage.until_closed_or()
        assert away <= last <= away + LOOK_SECONDS + 1e-6

    asyncio.run(play())


@pytest.mark.parametrize("lists_models", [True, False], ids=["it answers all along", "it answers nothing"])
async def test_a_server_that_stays_as_it_is_is_probed_at_doubling_intervals(*, lists_models: bool) -> None:
    outage = Outage(lambda _: lists_models, inf)
    probes = await outage.until_closed_or(lasts=1500)
    assert probes == pytest.approx([60, 180, 420, 720, 1020, 1320])


async def test_what_a_look_takes_puts_a_probe_off_by_that_and_no_more() -> None:
    def swallow(_: float) -> bool:
        outage.clock.now += 10  # as long as a connection may take
        return False

    outage = Outage(swallow, inf)
    probes = await outage.until_closed_or(lasts=500)
    waits = [later - earlier for earlier, later in pairwise([0, *probes])]
    assert all(wait <= due + 10 for wait, due in zip(waits, (60, 120, 240), strict=True))


async def test_lists_that_come_back_without_the_models_bring_one_probe_forward_and_no_more() -> None:
    outage = Outage(lambda now: now >= 500, inf)
    probes = await outage.until_closed_or(lasts=1500)
    assert probes == pytest.approx([60, 180, 420, 500, 800, 1100, 1400])


async def test_a_server_is_looked_at_once_a_second_at_most() -> None:
    outage = Outage(lambda _: False, inf, luck=1.0)
    await outage.until_closed_or(lasts=300)
    assert min(later - earlier for earlier, later in pairwise(outage.looks)) >= LOOK_SECONDS - 1e-6
