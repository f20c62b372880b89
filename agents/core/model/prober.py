"""Prober: finds out by one real token whether a server can generate; its lists stay green when no model can answer."""

import asyncio
from collections.abc import Callable
from contextvars import Context

import structlog

from agents.core.circuit_breaker import CircuitState
from agents.core.model.call import Call
from agents.core.model.completion import Completion
from agents.core.model.errors import (
    ModelError,
    ModelPoolClosed,
    ModelServerFault,
    ModelTimeout,
    TimeoutPhase,
)
from agents.core.model.lane import Lane
from agents.core.model.requests import GenerateRequest
from agents.core.model.server import ModelServer
from agents.core.model.timeouts import ModelTimeouts
from agents.core.model.tries import Tries
from agents.core.ollama_client import OllamaClient
from agents.core.time_limit import time_limit
from bus.ending import end_tasks
from schemas import HIGHEST

log = structlog.get_logger(__name__)


class Prober:
    """Probes servers. A probe goes before all that waits, but through the queue: see `MemoryWatch` for why."""

    def __init__(self, tries: Tries, clock: Callable[[], float]) -> None:
        self._tries = tries
        self._clock = clock
        self._witnesses: dict[str, asyncio.Task[bool]] = {}

    async def probe(self, server: ModelServer, lane: Lane) -> Completion:
        """Generate one token in a lane, as the circuit breaker's probe.

        Raises:
            ModelCircuitOpen: it is not yet time.
            ModelServerFault: the server cannot.
            ModelError: another one proves that the server lives, but not that it generates.
        """
        return await self._generate(server, lane, is_witness=False)

    async def can_generate(self, server: ModelServer, lane: Lane) -> bool:
        """Say whether a server that has just failed a task can generate at all; if not, open its circuit.

        It asks in the lane that generated text last there: a model that cannot be loaded is no outage. `lane` is for
        a server that has generated nothing yet. Many may ask at once; one token tells them all.
        """
        if server.name not in self._witnesses:
            # In a context of its own: what it logs and asks is not on behalf of the task that failed first.
            witness = asyncio.create_task(
                self._bear_witness(server, server.residents.proven or lane),
                name=f"model-witness {server.name}",
                context=Context(),
            )
            self._witnesses[server.name] = witness
            witness.add_done_callback(lambda _: self._witnesses.pop(server.name))
        witness = self._witnesses[server.name]
        await asyncio.wait([witness])
        if witness.cancelled():
            raise ModelPoolClosed("the pool of model connections is closed: this process is about to end")
        return witness.result()

    async def close(self) -> None:
        """End what is under way."""
        await end_tasks(self._witnesses.values())

    async def _bear_witness(self, server: ModelServer, lane: Lane) -> bool:
        log.info("model.suspected", url=server.name, reason=server.vitals.trouble)
        try:
            await self._generate(server, lane, is_witness=True)
        except ModelPoolClosed:
            raise
        except ModelServerFault as exc:
            log.warning("model.outage", url=server.name, code=exc.code, error=str(exc))
            if server.breaker.state is CircuitState.CLOSED:
                await server.breaker.force_open()
            return False
        except ModelError as exc:
            log.info("model.alive", url=server.name, code=exc.code, error=str(exc))
        return True

    async def _generate(self, server: ModelServer, lane: Lane, *, is_witness: bool) -> Completion:
        request = GenerateRequest(model=lane.model, prompt="Hi", options={**dict(lane.options), "num_predict": 1})

        async def operation(client: OllamaClient, is_loaded: bool) -> Completion:
            seconds = witness_seconds(client.timeouts)
            async with time_limit(seconds if is_witness else None, _late(server, seconds)):
                return await client.complete(request, is_loaded=is_loaded)

        call = Call(operation, lane.model, lane, HIGHEST, 0, server, server=server.name, is_probe=True, scope=None)
        try:
            return await self._tries.once(call, past_breaker=is_witness)
        except ModelServerFault:
            server.vitals.failed_at = self._clock()
            raise


def witness_seconds(timeouts: ModelTimeouts) -> float:
    """Return how long a witness waits for its token once it has a slot: two minutes by default.

    A task waits for its verdict. A model that has to be loaded, and takes longer, is none that can be worked with now:
    its server's circuit opens, and the probes that follow have the patience of a load.
    """
    return min(timeouts.load, timeouts.first_token)


def _late(server: ModelServer, seconds: float) -> ModelTimeout:
    text = f"the model server at {server.name} generated no token within {seconds:g} s: see whether it hangs"
    return ModelTimeout(text, which=TimeoutPhase.FIRST_TOKEN)
