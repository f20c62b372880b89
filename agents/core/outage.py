"""An outage of the model server costs no task: consumers pause, the server is probed, consumers resume."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from agents.core.circuit_breaker import CircuitState
from agents.core.model.errors import ModelError, ModelOverloaded, ModelUnavailable, is_server_failure
from agents.core.ollama_pool import OllamaConnectionPool
from bus.consumer import Consumer

log = structlog.get_logger(__name__)

SHORTEST_WAIT_SECONDS: Final = 0.05
"""Between two looks at a breaker that says it is time, while another probe is still out."""

AFTER_CRASH_SECONDS: Final = 5.0
"""Between a probe that failed by a fault of ours and the next."""


class OutageWatch:
    """Pauses `consumers` while the breaker of `pool` is open, and finds out when the server is back."""

    def __init__(self, pool: OllamaConnectionPool, consumers: Sequence[Consumer]) -> None:
        self._pool = pool
        self._consumers = consumers
        self._opened = asyncio.Event()
        pool.breaker.add_state_change_callback(self._note)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._opened.wait()
            log.warning("host.paused", reason="the model server does not answer", agents=len(self._consumers))
            await asyncio.gather(*(c.pause("the model server does not answer") for c in self._consumers))
            await self._until_closed()
            self._opened.clear()
            for consumer in self._consumers:
                consumer.resume()
            log.info("host.resumed", agents=len(self._consumers))

    def _note(self, _old: CircuitState, new: CircuitState) -> None:
        if new is CircuitState.OPEN:
            self._opened.set()

    async def _until_closed(self) -> None:
        breaker = self._pool.breaker
        while breaker.state is not CircuitState.CLOSED:
            await asyncio.sleep(max(breaker.time_until_retry, SHORTEST_WAIT_SECONDS))
            try:
                await self._probe()
            except Exception:
                # A paused host that nobody wakes is worse than any fault of a probe.
                log.exception("host.probe_crashed")
                await asyncio.sleep(AFTER_CRASH_SECONDS)

    async def _probe(self) -> None:
        """Generate one real token: /api/tags and the like stay green while no model can answer."""
        try:
            await self._pool.probe()
        except ModelUnavailable as error:
            log.debug("host.probe_put_off", reason=str(error))
            await asyncio.sleep(error.retry_after or SHORTEST_WAIT_SECONDS)
        except ModelOverloaded as error:
            log.info("host.probe_failed", reason=str(error))
        except ModelError as error:
            log.info("host.probe_failed", reason=str(error))
            if not is_server_failure(error):
                # It answers, only not with this model: that is for the tasks to hear, not a reason to stay closed.
                await self._pool.breaker.reset()
