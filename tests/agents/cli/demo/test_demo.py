import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx
import psutil
import pytest

from agents.cli.demo import places
from agents.cli.demo.choices import BrokerChoice, BrokerSource
from agents.local_model import LocalModelServer
from bus.node_layout import free_ports
from tests.support.agent_world import memory_url
from tests.support.command_line import Cli
from tests.support.ollama_port import OllamaPort
from tests.support.program import program, sutazai
from tests.support.scripted_ollama import ScriptedOllama, refusal


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OllamaPort]:
    """A scripted model server and an in-memory broker, as the environment names them."""
    monkeypatch.setenv("AMQP_URL", memory_url())
    async with OllamaPort(ScriptedOllama()) as running:
        monkeypatch.setenv("OLLAMA_URL", running.url)
        yield running


async def test_the_demo_does_eight_tasks_and_rejects_one_in_the_order_of_their_priorities(
    cli: Cli, port: OllamaPort
) -> None:
    ran = await asyncio.to_thread(cli, "demo", "--timeout", "30")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert "9 tasks in " in ran.out
    assert "8 completed, 1 rejected; 32 tokens written." in ran.out
    table = [line.split() for line in lines[next(i for i, line in enumerate(lines) if "wait s" in line) + 1 :][:9]]
    assert {row[0] for row in table} == {f"demo-{n}" for n in range(1, 10)}
    assert max(map(len, lines)) <= 120
    assert "tinyllama at OLLAMA_URL" in ran.err
    asked = [body["prompt"] for body in port.ollama.asked("/api/generate")]
    assert asked[0].startswith("The service is down")


async def test_a_demo_whose_tasks_fail_or_last_too_long_says_so_in_its_exit_code(cli: Cli, port: OllamaPort) -> None:
    port.ollama.script.extend(refusal(400, "no [/such] thing") for _ in range(2))
    ran = await asyncio.to_thread(cli, "demo", "--timeout", "30")
    assert ran.code == 6
    assert "no [/such] thing" in ran.out
    port.ollama.gate = asyncio.Event()
    ran = await asyncio.to_thread(cli, "demo", "--timeout", "1")
    assert ran.code == 7
    assert "error: not all tasks were done within 1 s: try --timeout 2" in ran.sentence


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("ftp://me:pa55word@host", 2, "error: setting OLLAMA_URL: the model server's address 'ftp://host' is no http"),
        ("http://127.0.0.1:{port}", 8, "error: "),
    ],
)
def test_a_model_server_that_cannot_be_asked_is_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str, code: int, told: str
) -> None:
    monkeypatch.setenv("AMQP_URL", memory_url())
    monkeypatch.setenv("OLLAMA_URL", url.format(port=free_ports(1)[0]))
    ran = cli("demo", "--timeout", "10")
    assert ran.code == code
    assert told in ran.sentence
    assert "pa55word" not in ran.err


async def test_without_the_usual_model_the_smallest_that_writes_is_taken(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(ScriptedOllama):
        async def _handle(self, request: httpx.Request) -> httpx.Response:
            if request.url.path != "/api/tags":
                return await super()._handle(request)
            rows: list[dict[str, Any]] = [
                {"name": "all-minilm:22m", "size": 1, "details": {"family": "bert"}},
                {"name": "small:1b", "size": 2, "details": {"family": "llama"}},
                {"name": "big:70b", "size": 3, "details": None},
            ]
            return httpx.Response(200, json={"models": rows})

    ollama = Other()
    ollama.installed = ["small:1b"]
    monkeypatch.setenv("AMQP_URL", memory_url())
    async with OllamaPort(ollama) as port:
        monkeypatch.setenv("OLLAMA_URL", port.url)
        ran = await asyncio.to_thread(cli, "demo", "--timeout", "30")
    assert ran.code == 0
    assert "small:1b at OLLAMA_URL" in ran.err


async def test_an_ollama_on_its_default_port_is_found(port: OllamaPort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_URL")
    monkeypatch.setattr(places, "DEFAULT_URL", port.url)
    monkeypatch.setattr("agents.cli.demo.choices.DEFAULT_URL", port.url)
    async with places.model_place() as (url, model):
        assert (url, model) == (port.url, "tinyllama")


async def test_of_several_model_servers_the_first_tells_which_models_there_are(
    port: OllamaPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = f"{port.url},http://127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("OLLAMA_URL", several)
    async with places.model_place() as (url, model):
        assert (url, model) == (several, "tinyllama")


async def test_without_any_model_server_a_local_one_is_started_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "DEFAULT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    async with places.model_place() as (url, model), httpx.AsyncClient() as client:
        tags = (await client.get(f"{url}/api/tags")).json()
        assert model in {row["name"] for row in tags["models"]}
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/api/tags")


async def test_a_node_of_its_own_or_a_broker_in_memory_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Node:
        amqp_url = "amqp://node"
        management_url = "http://node"

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(places, "PrivateNode", Node)
    monkeypatch.setattr(places, "choose_broker", lambda *_, **__: BrokerChoice(BrokerSource.PRIVATE_NODE))
    async with places.broker_place() as url:
        assert url == "amqp://node"
    monkeypatch.setattr(places, "choose_broker", lambda *_, **__: BrokerChoice(BrokerSource.MEMORY, "memory://demo"))
    async with places.broker_place() as url:
        assert url == "memory://demo"
    told = capsys.readouterr().err
    assert "http://node (guest/guest)" in told
    assert "in this process: no RabbitMQ was found" in told


@pytest.mark.timeout(120)
async def test_the_demo_as_a_program_ends_well_and_leaves_no_process_behind(
    vhost_url: str, model_server: LocalModelServer
) -> None:
    before = {process.pid for process in psutil.Process(os.getpid()).children(recursive=True)}
    async with program(*sutazai("demo"), env={"AMQP_URL": vhost_url, "OLLAMA_URL": model_server.url}) as running:
        assert await running.ends(limit=100) == 0, running.out + running.err
    after = {process.pid for process in psutil.Process(os.getpid()).children(recursive=True)}
    assert "8 completed, 1 rejected" in running.out
    assert "Traceback" not in running.err
    assert running.pid not in after
    # The model server may have loaded its model meanwhile, in a process of its own.
    assert len(after - before) <= 1
