"""One local model server for the whole session, over the real model; its weights are fetched once."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from ollama import AsyncClient

from agents.local_model import LocalModelServer, LocalModelSettings, ensure_weights

SETTINGS = LocalModelSettings(
    threads=1,
    max_queue=1,
    aliases={"tinyllama": "smollm2:135m", "all-minilm": "smollm2-embed", "second": "smollm2"},
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[LocalModelServer]:
    """A server with one model loaded at a time and room for one waiting request."""
    await ensure_weights()
    async with LocalModelServer(settings=SETTINGS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def http(server: LocalModelServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def ollama(server: LocalModelServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(host=server.url, timeout=30) as client:
        yield client
