"""An outage of all model servers costs no task: consumers pause until one of them is back."""

import asyncio
from collections.abc import Sequence

import structlog

from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.outage_reason import REASON
from bus.consumer import Consumer
from bus.pauses import Cause

log = structlog.get_logger(__name__)


class OutageWatch:
    """Pauses `consumers` while `pool` has no server left to ask. The pool itself probes its servers.

    What an operator has paused meanwhile stays paused.
    """

    def __init__(self, pool: OllamaConnectionPool, consumers: Sequence[Consumer]) -> None:
        self._servers = pool.servers
        self._consumers = consumers
        self._changed = asyncio.Event()
        self._servers.on_change(self._changed.set)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._until(is_down=True)
            reason = self._reason()
            log.warning("host.paused", reason=reason, agents=len(self._consumers))
            await asyncio.gather(*(consumer.pause(reason, Cause.OUTAGE) for consumer in self._consumers))
            await self._until(is_down=False)
            for consumer in self._consumers:
                consumer.resume(Cause.OUTAGE)
            log.info("host.resumed", agents=len(self._consumers))

    def _reason(self) -> str:
        trouble = self._servers.trouble
        return f"{REASON}, {trouble}" if trouble else REASON

    async def _until(self, *, is_down: bool) -> None:
        while self._servers.is_down is not is_down:
            self._changed.clear()
            await self._changed.wait()
