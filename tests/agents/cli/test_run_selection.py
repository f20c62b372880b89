from pathlib import Path

import pytest

from agents.core.catalog import load_catalog
from tests.support.agent_files import agent_text, written
from tests.support.agent_world import connected_client, settings_for
from tests.support.command_line import Cli
from tests.support.ollama_port import OllamaPort
from tests.support.program import program, sutazai
from tests.support.scripted_ollama import ScriptedOllama


def test_a_host_of_nobody_is_wrong_usage(cli: Cli) -> None:
    ran = cli("run")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == "error: name an agent, or choose with --all, --category or --tier: see sutazai agents list"


@pytest.mark.parametrize("words", [["zz*"], ["--category", "nosuch"], ["--tier", "huge"]])
def test_a_selection_of_nobody_ends_before_a_broker_is_asked(cli: Cli, words: list[str]) -> None:
    ran = cli("run", *words, "--amqp-url", "amqp://127.0.0.1:9/")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")


def test_two_agents_of_one_name_are_told_in_a_sentence_however_many_run_beside_them(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, agent_text("Mine"), "senior-engineer")
    ran = cli("run", "--all", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == (
        "error: 2 of these agents are called 'senior-engineer': give each a name of its own, or choose one"
    )


async def test_a_category_and_an_agent_of_ones_own_run_beside_a_broken_file(vhost_url: str, tmp_path: Path) -> None:
    written(tmp_path, agent_text("Mine"), "mine")
    written(tmp_path, agent_text("Breaks", "tier: huge"), "broken")
    category = [name for name, file in load_catalog().items() if file.category == "system"]
    async with (
        OllamaPort(ScriptedOllama()) as port,
        connected_client(settings_for(vhost_url)) as client,
        program(
            *sutazai("run", "mine", "--category", "system", "min*"),
            env={"AMQP_URL": vhost_url, "OLLAMA_URL": port.url, "SUTAZAI_AGENTS_PATH": str(tmp_path)},
        ) as running,
    ):
        await running.says("host.started")
        assert f"warning: passed over: {tmp_path}/broken.md: tier 'huge' is not known" in running.err
        queues = [await client.broker.queue_info(f"sutazai.tasks.{name}") for name in ("mine", *category)]
        assert [queue and queue.consumers for queue in queues] == [1] * (1 + len(category))
        assert (await client.ask("mine", "Hello", timeout=20)).result == {"response": "ok"}
