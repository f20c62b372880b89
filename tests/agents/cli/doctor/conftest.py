"""A system that is well but for its consumer."""

from collections.abc import AsyncIterator

import pytest

from bus.connect import broker_at
from bus.topology import Topology
from tests.support.broker import Broker
from tests.support.clinic import AGENT, Clinic
from tests.support.command_line import Cli
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama


@pytest.fixture
async def clinic(cli: Cli, broker: Broker, vhost_url: str, prefix: str) -> AsyncIterator[Clinic]:
    """A system with one agent's queues, not yet consumed, and a server that has its model loaded."""
    topology = Topology(prefix=prefix)
    ollama = ScriptedOllama()
    ollama.loaded = [{"name": ollama.installed[0], "context_length": 2048}]
    async with broker_at(vhost_url) as connected, OllamaPort(ollama) as port:
        for plan in (topology.shared(), topology.agent(AGENT)):
            await connected.declare(plan)
        yield Clinic(cli, connected, ollama, topology, vhost_url, broker.management_url or "", port.url)
