"""Whether an agent stands still: what an outage of its model server does to it, or an operator's pause."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bus.broker import ConsumerState
from bus.client import Client
from bus.errors import BusError
from schemas import AgentReport, ReportKind

LISTEN_SECONDS: Final = 2.0
"""All hosts have told of their agents by then; see `Client.reports`."""

KEPT_SECONDS: Final = 5.0
"""How long an answer holds: whoever waits for many tasks of one agent asks for each."""


class Standstills:
    """Asks the fleet whether agents stand still. `clock` gives monotonic seconds."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._told: dict[str, tuple[bool, float]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def has(self, agent: str) -> bool:
        """Return whether every host with this agent has paused it; no if nobody says so within two seconds.

        Who asks while another one looks waits for that answer, and looks only if the other is cancelled.
        """
        async with self._asking[agent]:
            verdict, until = self._told.get(agent, (False, float("-inf")))
            if self._clock() > until:
                verdict = await self._look(agent)
                self._told[agent] = verdict, self._clock() + KEPT_SECONDS
        return verdict

    async def _look(self, agent: str) -> bool:
        states: dict[str, str] = {}
        with suppress(TimeoutError, BusError):
            async with asyncio.timeout(LISTEN_SECONDS), self._client.reports(kind=ReportKind.AGENT) as reports:
                async for report in reports:
                    if isinstance(report, AgentReport) and report.agent == agent:
                        states[report.host] = report.consumer
        return set(states.values()) == {ConsumerState.PAUSED.value}
