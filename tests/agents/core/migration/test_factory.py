"""Agents by their files: the right class for each of many in one process, whatever their modules are called."""

import sys
from pathlib import Path

import pytest

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.factory import agent_class_at, create_agent_factory, name_at
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.loading import AgentLoadError
from tests.agents.core.migration.old_agents import simple, write_agent

V2 = """
from core.base_agent_v2 import BaseAgentV2

class NewAgent(BaseAgentV2):
    def __init__(self{parameters}):
        super().__init__({arguments})

    async def process_task(self, task):
        return {{"new": True}}
"""


@pytest.fixture(autouse=True)
def _path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def made(name: str, path: Path) -> LegacyAgentWrapper:
    agent = create_agent_factory(name, path)()
    assert isinstance(agent, LegacyAgentWrapper)
    return agent


def test_five_agents_of_one_process_have_each_its_own_class_and_not_the_first_ones(tmp_path: Path) -> None:
    for n in range(5):
        write_agent(tmp_path / f"agent-{n}", simple("SameAgent", str(n)))
    agents = [made(f"agent-{n}", tmp_path) for n in range(5)]
    says = [agent.old.process_task({}) for agent in agents]
    assert [said["says"] for said in says] == list(range(5))
    assert [agent.name for agent in agents] == [f"agent-{n}" for n in range(5)] == [said["name"] for said in says]


def test_the_factory_hands_its_arguments_to_the_old_class(tmp_path: Path) -> None:
    write_agent(tmp_path / "x", simple("X", "self.config"))
    config = tmp_path / "mine.json"
    config.write_text('{"unit": "K"}')
    for agent in (
        create_agent_factory("x", tmp_path)(str(config)),
        create_agent_factory("x", tmp_path)(config_path=config),
    ):
        assert isinstance(agent, LegacyAgentWrapper)
        assert agent.old.process_task({})["says"] == {"unit": "K"}


@pytest.mark.parametrize("folder", ["code-reviewer", "code_reviewer", "CodeReviewer"])
@pytest.mark.parametrize("file", ["agent.py", "app.py"])
def test_the_folder_may_be_spelt_with_hyphens_underscores_or_capitals(folder: str, file: str, tmp_path: Path) -> None:
    write_agent(tmp_path / folder, simple("Any", "1"), file)
    assert made("code-reviewer", tmp_path).name == "code-reviewer"
    assert name_at(tmp_path / folder) == "code-reviewer"


def test_without_a_path_the_settings_folders_the_current_one_and_agents_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", str(tmp_path / "own"))
    for place in ("own/one", "one", "two", "agents/two", "agents/three"):
        write_agent(tmp_path / place, simple("Any", repr(place)))
    says = [made_here(name) for name in ("one", "two", "three")]
    assert says == ["own/one", "two", "agents/three"]
    with pytest.raises(
        AgentLoadError, match=r"no agent 'four': no folder of that name with agent.py or app.py lies in"
    ):
        create_agent_factory("four")


def made_here(name: str) -> object:
    agent = create_agent_factory(name)()
    assert isinstance(agent, LegacyAgentWrapper)
    return agent.old.process_task({})["says"]


@pytest.mark.parametrize(
    ("parameters", "arguments"), [(", name=None", "name=name"), (", **rest", "**rest"), ("", "name='mine'")]
)
def test_an_agent_of_the_second_generation_is_made_as_it_is(parameters: str, arguments: str, tmp_path: Path) -> None:
    write_agent(tmp_path / "mine", V2.format(parameters=parameters, arguments=arguments))
    agent = create_agent_factory("mine", tmp_path)()
    assert isinstance(agent, BaseAgentV2)
    assert (agent.name, type(agent).__name__) == ("mine", "NewAgent")


def test_one_that_takes_no_name_and_has_another_is_told_so(tmp_path: Path) -> None:
    write_agent(tmp_path / "mine", V2.format(parameters="", arguments="name='other'"))
    factory = create_agent_factory("mine", tmp_path)
    with pytest.raises(
        AgentLoadError, match=r"NewAgent calls itself 'other' and not 'mine': let its __init__ take a name"
    ):
        factory()


BASE = "from agent_base import BaseAgent\n"
TWO = BASE + "class One(BaseAgent):\n    pass\n\nclass Two(BaseAgent):\n    pass\n"
MAIN = "\nif __name__ == '__main__':\n    "


@pytest.mark.parametrize(
    ("program", "chosen"),
    [
        (TWO + MAIN + "One().run()\n", "One"),
        (TWO + MAIN + "One()\n    Two().run()\n", "Two"),
        (TWO + "def main():\n    One().run()\n" + MAIN + "main()\n", "One"),
        (TWO + "class MineAgent(BaseAgent):\n    pass\n" + MAIN + "One().run()\n", "MineAgent"),
        (BASE + "class Team(BaseAgent):\n    pass\n\nclass Last(Team):\n    pass\n", "Last"),
        ("from agents.core.base_agent_v2 import BaseAgent\nclass New(BaseAgent):\n    pass\n", "New"),
    ],
)
def test_of_several_classes_the_name_the_main_block_or_the_line_of_bases_decides(
    program: str, chosen: str, tmp_path: Path
) -> None:
    assert agent_class_at(write_agent(tmp_path / "mine", program)).__name__ == chosen


def test_a_class_that_was_only_imported_is_the_agent_where_there_is_no_other(tmp_path: Path) -> None:
    write_agent(tmp_path / "mine", simple("Imported", "1"), "old_agent.py")
    app = write_agent(tmp_path / "mine", "from old_agent import Imported\n" + MAIN + "Imported().run()\n", "app.py")
    assert agent_class_at(app).__name__ == "Imported"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (TWO, r"agent.py: One, Two are all agents: give each a file, or use one in the main block"),
        ("class Alone:\n    def process_task(self, task): ...\n", r"agent.py: no class in it derives from BaseAgentV2"),
        ("def broken(:\n", r"agent.py:1: it does not compile: invalid syntax"),
        ("import not_installed_9\n", r"agent.py:1: no module 'not_installed_9': install it"),
        ("x = 1\n{}['key']\n", r"agent.py:2: it cannot be loaded: KeyError: 'key'"),
        ("import sys\nsys.exit(3)\n", r"agent.py:2: it cannot be loaded: SystemExit: 3"),
    ],
)
def test_what_is_no_agent_is_told_in_a_sentence_with_its_place(program: str, words: str, tmp_path: Path) -> None:
    path = write_agent(tmp_path / "mine", program)
    for _ in range(2):
        with pytest.raises(AgentLoadError, match=words):
            agent_class_at(path)


def test_another_products_base_is_told_with_its_place(tmp_path: Path) -> None:
    write_agent(tmp_path / "core", "", "__init__.py")
    base = write_agent(tmp_path / "core", "class BaseAgentV2:\n    pass\n", "base_agent_v2.py")
    path = write_agent(tmp_path, V2.format(parameters="", arguments=""))
    with pytest.raises(AgentLoadError, match=rf"its BaseAgentV2 is another product's, from {base}: take that off"):
        agent_class_at(path)


def test_a_place_without_an_agent_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(AgentLoadError, match="there is no such file or folder"):
        agent_class_at(tmp_path / "nowhere")
    with pytest.raises(AgentLoadError, match=r"no agent.py or app.py lies in this folder"):
        agent_class_at(tmp_path)
    with pytest.raises(AgentLoadError, match=r"'my.old agent' is no module's name"):
        agent_class_at(write_agent(tmp_path, simple("Any", "1"), "my.old agent.py"))
