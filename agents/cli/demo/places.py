"""The demo's broker and model server: found or started, and ended with the block."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from agents.cli.console import err
from agents.cli.demo.choices import (
    BrokerSource,
    ModelSource,
    choose_broker,
    choose_model,
    pick_installed,
)
from agents.cli.weights import fetch_weights
from agents.core.model.addresses import server_addresses
from agents.core.model.errors import ModelError
from agents.core.model.server_url import DEFAULT_URL
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient
from agents.core.settings import SettingsError
from agents.core.tiers import TIERS, Tier
from bus.private_node import PrivateNode, find_server


@contextlib.asynccontextmanager
async def broker_place() -> AsyncIterator[str]:
    """Give the address of the demo's broker."""
    choice = choose_broker(os.environ, server_found=find_server() is not None)
    if choice.source is not BrokerSource.PRIVATE_NODE:
        where = "AMQP_URL" if choice.source is BrokerSource.GIVEN else "in this process: no RabbitMQ was found"
        err.print(f"[bold]broker[/]  {where}")
        yield choice.url
        return
    async with contextlib.AsyncExitStack() as stack:
        with err.status("starting a RabbitMQ node of its own (about 6 s)"):
            node = await stack.enter_async_context(PrivateNode())
        err.print(f"[bold]broker[/]  a private RabbitMQ; its UI: {node.management_url} (guest/guest)")
        yield node.amqp_url


@contextlib.asynccontextmanager
async def model_place() -> AsyncIterator[tuple[str, str]]:
    """Give the address of the demo's model server, and the model to ask there."""
    wanted = os.environ.get(Tier.DEFAULT.variable) or TIERS[Tier.DEFAULT].model
    choice = choose_model(os.environ, ollama_answers=await _answers(DEFAULT_URL))
    if choice.source is not ModelSource.LOCAL:
        model = pick_installed(wanted, await _installed(choice.url))
        found = "OLLAMA_URL" if choice.source is ModelSource.GIVEN else f"the Ollama at {choice.url}"
        err.print(f"[bold]model[/]   {model} at {found}")
        yield choice.url, model
        return
    from agents.local_model import LocalModelServer, LocalModelSettings  # noqa: PLC0415 - an extra

    await fetch_weights()
    settings = LocalModelSettings()
    model = "smollm2:135m"
    async with LocalModelServer(settings=settings) as server:
        err.print(f"[bold]model[/]   {model}, served here: no Ollama was found. Fluent, not clever")
        yield server.url, model


async def _answers(url: str) -> bool:
    try:
        async with OllamaClient(url, timeouts=ModelTimeouts(connect=0.5, control=2.0)) as client:
            await client.version()
    except ModelError:
        return False
    return True


async def _installed(url: str) -> list[tuple[str, int]]:
    try:
        first = next(iter(server_addresses(url).values()))
    except ValueError as error:
        raise SettingsError(f"setting OLLAMA_URL: {error}") from None
    async with OllamaClient(first) as client:
        return [(str(model["name"]), int(model.get("size", 0))) for model in await client.tags() if _writes(model)]


def _writes(model: Mapping[str, Any]) -> bool:
    # The smallest model of many machines is one for embeddings; all of these are of the family of BERT.
    return "bert" not in str((model.get("details") or {}).get("family", ""))
