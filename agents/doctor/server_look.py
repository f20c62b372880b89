"""Looking at a model server: what it has, what it runs, and whether one token comes."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from time import monotonic
from typing import Final

from agents.core.model.errors import ModelError, ModelTimeout
from agents.core.model.names import model_key
from agents.core.model.requests import GenerateRequest, Json
from agents.core.model.server_url import parse_url
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient
from agents.doctor.facts import CheckedAgent, Generation, Row, ServerFacts

PROMPT: Final = "Hello"


async def look_at_servers(
    addresses: Sequence[str], agents: Sequence[CheckedAgent], timeouts: ModelTimeouts, *, asks: bool = True
) -> list[ServerFacts]:
    """Return what can be seen at each model server. `asks` has each generate one token, within `timeouts`.

    Raises:
        ValueError: an address is no http address.
    """
    clients = [OllamaClient(address, timeouts=timeouts) for address in addresses]
    return await asyncio.gather(*(_look(client, agents, asks=asks) for client in clients))


async def _look(client: OllamaClient, agents: Sequence[CheckedAgent], *, asks: bool) -> ServerFacts:
    async with client:
        try:
            version, installed, loaded = await client.version(), await client.tags(), await client.ps()
        except ModelError as error:
            return ServerFacts(client.safe_url, error=str(error))
        memory = _memory() if _is_here(client.safe_url) else None
        facts = ServerFacts(client.safe_url, None, version, installed, loaded, memory=memory)
        request = token_request(agents, installed, loaded) if asks else None
        return facts if request is None else replace(facts, generation=await _generation(client, request))


def token_request(
    agents: Sequence[CheckedAgent], installed: Sequence[Row], loaded: Sequence[Row]
) -> GenerateRequest | None:
    """Return a request for one token that makes no busy server load a second model; None where there is none. Pure.

    A loaded model is asked with the context that it has, since another one would reload it.
    """
    needed = {model_key(agent.model): agent.num_ctx for agent in agents if agent.model}
    running = sorted((row for row in loaded if row.get("name")), key=lambda row: model_key(row["name"]) not in needed)
    if running:
        return _one_token(running[0]["name"], running[0].get("context_length"))
    there = [row["name"] for row in installed if row.get("name") and model_key(row["name"]) in needed]
    return _one_token(there[0], needed[model_key(there[0])]) if there else None


def _one_token(model: str, num_ctx: int | None) -> GenerateRequest:
    options: Json = {"num_predict": 1} | ({} if num_ctx is None else {"num_ctx": num_ctx})
    return GenerateRequest(model=model, prompt=PROMPT, options=options)


async def _generation(client: OllamaClient, request: GenerateRequest) -> Generation:
    started = monotonic()
    try:
        usage = (await client.complete(request)).usage
    except ModelTimeout:
        return Generation(request.model, error=f"nothing came within {client.timeouts.total:g} s")
    except ModelError as error:
        return Generation(request.model, error=str(error))
    return Generation(request.model, max(0.0, monotonic() - started - usage.load_time), usage.load_time)


def _is_here(url: str) -> bool:
    host = parse_url(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
