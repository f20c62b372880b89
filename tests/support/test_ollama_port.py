import asyncio

import pytest

from agents.core.model.errors import ModelError
from agents.core.ollama_client import OllamaClient
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama


async def asked(url: str) -> None:
    async with OllamaClient(url) as client:
        await client.version()


@pytest.mark.parametrize("passes", range(12))
async def test_a_port_that_has_died_answers_nobody_who_was_just_connecting(passes: int) -> None:
    async with OllamaPort(ScriptedOllama()) as port:
        clients = [asyncio.create_task(asked(port.url), name=f"client-{n}") for n in range(4)]
        for _ in range(passes):
            await asyncio.sleep(0)
        await port.die()
        heard = len(port.ollama.requests)
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(*clients, return_exceptions=True)
        assert len(port.ollama.requests) == heard
        assert all(outcome is None or isinstance(outcome, ModelError) for outcome in outcomes)
