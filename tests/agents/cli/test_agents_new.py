import runpy
from pathlib import Path

import pytest

from agents import BaseAgentV2
from agents.cli.chosen_agents import chosen_agents
from agents.cli.selection import Selection
from agents.core.catalog import read_agent_file
from agents.core.settings import load_settings
from tests.support.agent_world import agent_world
from tests.support.command_line import Cli


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def answer_of(agent: BaseAgentV2) -> object:
    async with agent_world(agent) as world:
        return (await world.client.ask(agent.name, "Hello", timeout=20)).result


async def test_a_new_file_passes_the_check_and_runs_at_once(cli: Cli, here: Path) -> None:
    ran = cli("agents", "new", "mail-sorter", "--dir", "own/deep")
    assert ran.code == 0
    assert (
        ran.out
        == "own/deep/mail-sorter.md is written. It runs as it is:\n\n  sutazai run ./own/deep/mail-sorter.md\n\n"
    )
    assert cli("agents", "check", str(here)).out == "1 agent is fine\n"
    (agent,) = chosen_agents(Selection(("./own/deep/mail-sorter.md",)), load_settings())
    assert await answer_of(agent) == {"response": "ok"}


@pytest.mark.parametrize("name", ["no", "123", "2026-01-31", "null"])
def test_a_name_that_yaml_takes_for_something_else_passes_the_check(cli: Cli, here: Path, name: str) -> None:
    assert cli("agents", "new", name).code == 0
    assert cli("agents", "check", str(here)).out == "1 agent is fine\n"
    assert read_agent_file(here / f"{name}.md").name == name


@pytest.mark.parametrize(
    ("name", "typed"), [("invoice-reader", "invoice_reader:InvoiceReader"), ("gpu-4-you", "gpu_4_you:Gpu4You")]
)
async def test_a_new_class_runs_at_once_under_its_name(cli: Cli, here: Path, name: str, typed: str) -> None:
    ran = cli("agents", "new", name, "--class")
    path = f"{typed.partition(':')[0]}.py"
    assert (ran.code, ran.out) == (0, f"{path} is written. It runs as it is:\n\n  sutazai run {typed}\n\n")
    (agent,) = chosen_agents(Selection((typed,)), load_settings(), config_path=None, max_concurrent_tasks=1)
    assert (agent.name, agent.max_concurrent_tasks) == (name, 1)
    assert await answer_of(agent) == {"response": "ok"}
    assert runpy.run_path(str(here / path))["SYSTEM"]


def test_the_command_for_a_class_elsewhere_goes_there_first(cli: Cli, here: Path) -> None:
    assert "  cd own && sutazai run a:A\n" in cli("agents", "new", "a", "--class", "--dir", "own").out
    absolute = cli("agents", "new", "b", "--dir", str(here)).out
    assert f"  sutazai run {here}/b.md\n" in absolute


def test_the_command_is_one_that_a_shell_reads_also_where_a_folder_has_a_blank(cli: Cli, here: Path) -> None:
    assert "  sutazai run './my agents/a.md'\n" in cli("agents", "new", "a", "--dir", "my agents").out
    assert "  cd 'my agents' && sutazai run b:B\n" in cli("agents", "new", "b", "--class", "--dir", "my agents").out
    assert sorted(path.name for path in (here / "my agents").iterdir()) == ["a.md", "b.py"]


@pytest.mark.usefixtures("here")
def test_a_name_of_the_catalogue_is_told(cli: Cli) -> None:
    ran = cli("agents", "new", "senior-engineer")
    assert ran.code == 0
    assert ran.sentence.startswith("note: the catalogue has an agent senior-engineer too")


def test_a_file_that_exists_is_left_alone(cli: Cli, here: Path) -> None:
    (here / "mine.md").write_text("precious")
    ran = cli("agents", "new", "mine")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == "error: mine.md exists: choose another name or --dir, or remove it"
    assert (here / "mine.md").read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["My Agent"],
            "name 'My Agent' is not usable: lower-case letters, digits and hyphens only, at most 100: my-agent",
        ),
        (["3d-printer", "--class"], "name '3d-printer' cannot be a Python file's: begin it with a letter"),
        (["json", "--class"], "name 'json' cannot be a Python file's: Python has a 'json', so add a word to it"),
        (["bus", "--class"], "Python has a 'bus', so add a word to it"),
        (["class", "--class"], "Python has a 'class', so add a word to it"),
        (["none", "--class"], "Python has a 'none', so add a word to it"),
        (["a", "--dir", "taken"], "taken/a.md cannot be written: File exists"),
    ],
)
def test_what_cannot_be_written_is_told(cli: Cli, here: Path, words: list[str], told: str) -> None:
    (here / "taken").write_text("a file")
    ran = cli("agents", "new", *words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.sentence
