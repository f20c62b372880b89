"""Examples that bring their agent along: how they begin, and what all of them have in common."""

from pathlib import Path

import pytest

from bus.node_layout import free_ports
from tests.examples.stage import EXAMPLES, Stage
from tests.support.agent_world import memory_url
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama

OWN = {
    "summarise_folder.py": ("docs", "summaries.md"),
    "triage_issues.py": ("issues.csv",),
    "search_notes.py": ("docs", "x"),
    "researcher_and_critic.py": ("x",),
    "wrapped_v1_agent.py": ("x",),
    "chat.py": (),
}
"""Each with arguments that are right."""


@pytest.fixture
def arguments(example: str, tmp_path: Path) -> list[str]:
    """What the example is given, with files that are there."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Ants.")
    (tmp_path / "issues.csv").write_text("title\nAnts\n")
    is_path = {"docs", "summaries.md", "issues.csv"}
    return [str(tmp_path / given) if given in is_path else given for given in OWN[example]]


@pytest.mark.parametrize("example", OWN)
async def test_without_a_broker_it_ends_with_one_line(example: str, arguments: list[str]) -> None:
    (nobody,) = free_ports(1)
    stage = Stage(OllamaPort(ScriptedOllama()), f"amqp://me:pa55word@127.0.0.1:{nobody}/")
    code, ran = await stage.ran(example, *arguments)
    assert code == 3
    assert ran.err.startswith("error: no RabbitMQ answers at ")
    assert ran.err.count("\n") == 1
    assert "pa55word" not in ran.err


@pytest.mark.parametrize("example", OWN)
async def test_without_a_model_server_it_ends_with_one_line(example: str, arguments: list[str]) -> None:
    code, ran = await Stage(OllamaPort(ScriptedOllama()), memory_url()).ran(example, *arguments)
    assert code == 8
    assert ran.err.startswith("error: no model server answers at ")
    assert ran.err.count("\n") == 1


def test_the_readme_has_the_command_of_every_example() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md"}
    assert {name for name in files if f"[{name}]({name})" in readme} == files
    assert {name for name in files if f"examples/{name}" in readme} == files


@pytest.mark.parametrize("example", OWN)
def test_it_is_short_enough_to_be_read_and_copied(example: str) -> None:
    text = (EXAMPLES / example).read_text()
    assert len(text.splitlines()) < 130
    assert "noqa" not in text
    assert f"python examples/{example}" in text.split('"""')[1]
