"""What the tests of the circuit breaker and of the pool share."""

from collections.abc import AsyncIterator

import pytest
import structlog

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.ollama_client import OllamaClient
from tests.support.clock import FakeClock
from tests.support.pools import MakePool, pool_maker
from tests.support.scripted_ollama import ScriptedOllama


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    """Opens after two failures, and may be probed ten seconds later."""
    return CircuitBreaker(2, 10, OSError, name="model", clock=clock, wall_clock=lambda: 1_000 + clock.now)


@pytest.fixture
def server() -> ScriptedOllama:
    return ScriptedOllama()


@pytest.fixture
async def client(server: ScriptedOllama) -> AsyncIterator[OllamaClient]:
    async with OllamaClient("http://ollama:11434", transport=server.transport) as client:
        yield client


@pytest.fixture
def naps() -> list[float]:
    """The seconds that a pool has waited between tries."""
    return []


@pytest.fixture
async def make(server: ScriptedOllama, naps: list[float]) -> AsyncIterator[MakePool]:
    """Makes pools in front of the server."""
    async with pool_maker(server, naps) as build:
        yield build


@pytest.fixture
def every_level() -> None:
    """Have log lines of every level reach `capture_logs`: the bus, once imported, keeps all but warnings back."""
    structlog.reset_defaults()
