import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress, TaskID

from agents.cli import models as command
from agents.cli.needed_models import ModelState, Need, Shelved, model_table, needs_of, shelved
from agents.cli.pulled_models import pull_models
from agents.core.catalog import load_catalog
from agents.core.ollama_client import OllamaClient
from bus.node_layout import HOST, free_ports
from tests.support.agent_files import agent_text, written
from tests.support.command_line import Cli, Ran
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import Json, ScriptedOllama

OPUS = sum(agent.tier == "opus" for agent in load_catalog().values())
PULL: list[Json] = [
    {"status": "pulling manifest"},
    {"status": "pulling a1", "digest": "a1", "total": 3_000_000, "completed": 1_000_000},
    {"status": "pulling b2", "digest": "b2", "total": 1_000_000, "completed": 1_000_000},
    {"status": "success"},
]


@pytest.fixture
async def server() -> AsyncIterator[OllamaPort]:
    async with OllamaPort(ScriptedOllama()) as port:
        port.ollama.sizes["tinyllama:latest"] = 637_700_138
        port.ollama.loaded = [{"name": "tinyllama:latest"}]
        yield port


async def ran(cli: Cli, server: OllamaPort, *words: str) -> Ran:
    return await asyncio.to_thread(cli, "models", "--ollama-url", server.url, *words)


def rows(ran: Ran) -> list[list[str]]:
    return [line.split("\t") for line in ran.out.splitlines()]


def test_needs_count_the_agents_of_each_model_under_all_of_its_names() -> None:
    pairs = [("a", "x"), ("b", "Y:1b"), ("c", "X:latest"), ("d", "library/x")]
    assert needs_of(pairs) == [Need("x", ("a", "c", "d")), Need("Y:1b", ("b",))]


def test_a_model_is_found_on_the_shelf_and_in_memory_under_all_of_its_names() -> None:
    needs = [Need("x", ("a",)), Need("y:1b", ("b",)), Need("z", ("c",))]
    installed: list[Json] = [{"name": "X:latest", "size": 5}, {"name": "y:1b"}, {"model": "nameless"}]
    assert shelved(needs, "s", installed, [{"name": "library/x:latest"}, {"name": "z"}]) == [
        Shelved("x", ("a",), "s", ModelState.LOADED, 5),
        Shelved("y:1b", ("b",), "s", ModelState.INSTALLED, 0),
        Shelved("z", ("c",), "s", ModelState.MISSING),
    ]


async def test_all_agents_need_the_models_of_the_tiers_and_a_missing_one_is_code_8(
    cli: Cli, server: OllamaPort
) -> None:
    found = await ran(cli, server)
    assert rows(found) == [
        ["tinyllama", "72", "637700138", "loaded", server.url],
        ["qwen2.5-coder:7b", "59", "", "missing", server.url],
    ]
    assert found.code == 8
    assert found.sentence == "missing: qwen2.5-coder:7b. The same with --pull fetches what is missing"
    assert await ran(cli, server, "--all") == found


async def test_chosen_agents_need_only_their_models_be_they_files_or_classes(
    cli: Cli, server: OllamaPort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_OPUS_MODEL", "tinyllama2.5-coder:7b")
    written(tmp_path, agent_text("Works", "model: mine:1b"), "worker")
    (tmp_path / "models_test_agent.py").write_text(
        "from agents import BaseAgentV2\n\n\nclass Mine(BaseAgentV2):\n    pass\n"
    )
    found = await ran(cli, server, "./worker.md", "models_test_agent:Mine", "--tier", "opus", "--json")
    assert [json.loads(line) for line in found.out.splitlines()] == [
        {
            "model": "qwen2.5-coder:7b",
            "agents": sorted(agent.name for agent in load_catalog().values() if agent.tier == "opus"),
            "server": server.url,
            "state": "missing",
            "size": None,
        },
        {"model": "mine:1b", "agents": ["worker"], "server": server.url, "state": "missing", "size": None},
        {"model": "tinyllama", "agents": ["mine"], "server": server.url, "state": "loaded", "size": 637_700_138},
    ]


async def test_nothing_missing_is_code_0(cli: Cli, server: OllamaPort) -> None:
    found = await ran(cli, server, "--tier", "opus")
    assert (found.code, found.err, rows(found)[0][:2]) == (0, "", ["tinyllama", str(OPUS)])


async def test_missing_models_are_pulled(cli: Cli, server: OllamaPort) -> None:
    server.ollama.pull_lines = PULL
    found = await ran(cli, server, "--pull")
    assert (found.code, [row[3] for row in rows(found)]) == (0, ["loaded", "installed"])
    assert found.sentence == f"pulling qwen2.5-coder:7b at {server.url}"
    assert [body["model"] for body in server.ollama.asked("/api/pull")] == ["qwen2.5-coder:7b"]


class Watched(Progress):
    """Bars that remember how far they were."""

    def __init__(self) -> None:
        super().__init__(console=Console(file=io.StringIO()))
        self.seen: list[tuple[object, object]] = []

    def update(self, task_id: TaskID, **what: Any) -> None:
        super().update(task_id, **what)
        self.seen.append((what["completed"], what["total"]))


async def test_the_bar_of_a_pull_is_over_all_files_of_the_model() -> None:
    ollama = ScriptedOllama()
    ollama.pull_lines = PULL
    bars = Watched()
    async with OllamaClient("http://ollama:11434", transport=ollama.transport) as client:
        missing = Shelved("y:1b", ("a",), "s", ModelState.MISSING)
        assert await pull_models(client, [missing], bars) == []
    assert bars.seen == [(0, None), (1_000_000, 3_000_000), (2_000_000, 4_000_000), (2_000_000, 4_000_000)]
    assert [task.description for task in bars.tasks] == ["y:1b: success"]


async def test_a_pull_that_fails_is_told_and_the_others_still_come(
    cli: Cli, server: OllamaPort, tmp_path: Path
) -> None:
    server.ollama.pull_lines = [{"error": "pull model manifest: file does not exist"}]
    paths = [written(tmp_path, agent_text("Works", f"model: {name}:1b"), name) for name in ("mine", "yours")]
    found = await ran(cli, server, *map(str, paths), "--pull")
    assert found.code == 8
    assert found.err.count("error: ") == 2
    assert "pull model manifest: file does not exist" in found.err
    assert [row[3] for row in rows(found)] == ["missing", "missing"]


async def test_of_several_servers_each_is_asked_and_pulls_what_it_misses(cli: Cli) -> None:
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(OllamaPort(ScriptedOllama())) for _ in range(2)]
        ports[1].ollama.installed = []
        urls = ",".join(port.url for port in ports)
        found = await asyncio.to_thread(cli, "models", "--tier", "opus", "--pull", "--ollama-url", urls)
    assert found.code == 0
    assert [(row[0], row[3], row[4]) for row in rows(found)] == [("tinyllama", "installed", port.url) for port in ports]
    assert [len(port.ollama.asked("/api/pull")) for port in ports] == [0, 1]


async def test_a_server_that_is_away_is_code_8_and_hides_neither_the_needs_nor_the_others(
    cli: Cli, server: OllamaPort
) -> None:
    (port,) = free_ports(1)
    away = f"http://{HOST}:{port}"
    found = await asyncio.to_thread(cli, "models", "--tier", "opus", "--pull", "--ollama-url", f"{server.url},{away}")
    assert found.code == 8
    assert [(row[3], row[4]) for row in rows(found)] == [("loaded", server.url), ("unknown", away)]
    assert found.sentence.startswith(f"error: no model server answers at {away}")


def test_an_address_that_is_none_is_a_wrong_setting(cli: Cli) -> None:
    ran = cli("models", "--ollama-url", "ftp://host")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence.startswith("error: setting OLLAMA_URL: ")


def test_an_agent_that_is_not_there_is_an_error_before_a_server_is_asked(cli: Cli) -> None:
    ran = cli("models", "scrum-mister", "--ollama-url", "http://127.0.0.1:9")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean scrum-master" in ran.sentence


async def test_on_a_terminal_the_models_are_a_table_with_readable_sizes(
    cli: Cli, server: OllamaPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "out", Console(width=80, force_terminal=True, color_system=None))
    lines = [line.split() for line in (await ran(cli, server)).out.splitlines()]
    assert lines == [
        ["model", "agents", "size", "state"],
        ["tinyllama", "72", "637.7", "MB", "loaded"],
        ["qwen2.5-coder:7b", "59", "missing"],
    ]


def test_a_table_names_the_servers_where_there_are_several() -> None:
    screen = Console(width=80, file=io.StringIO(), record=True)
    screen.print(model_table([Shelved("x", ("a",), server, ModelState.UNKNOWN) for server in ("http://a", "http://b")]))
    assert [line.split() for line in screen.export_text().splitlines()] == [
        ["model", "agents", "size", "state", "server"],
        ["x", "1", "unknown", "http://a"],
        ["x", "1", "unknown", "http://b"],
    ]
