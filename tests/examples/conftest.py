"""What the tests of examples share: a broker of either kind, and a scripted model server on a real port."""

from collections.abc import AsyncIterator

import pytest

from tests.examples.stage import Stage
from tests.support.agent_world import memory_url
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """Address of a broker for this test alone."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


@pytest.fixture
async def stage(amqp_url: str) -> AsyncIterator[Stage]:
    """Where an example runs; `stage.ollama` is the model."""
    async with OllamaPort(ScriptedOllama()) as port:
        yield Stage(port, amqp_url)


@pytest.fixture
def lone_stage() -> Stage:
    """Where an example ends before it asks for a broker or a model; nothing listens here."""
    return Stage(OllamaPort(ScriptedOllama()), memory_url())
