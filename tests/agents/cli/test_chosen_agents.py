import sys
from pathlib import Path
from typing import Any

import pytest

from agents.cli.chosen_agents import chosen_agents
from agents.cli.selection import AgentNotFoundError, Selection
from agents.core.catalog import AgentFileError, load_catalog, read_catalog
from agents.core.settings import Settings, load_settings
from tests.support.agent_files import agent_text, written

MODULE = """
from agents import BaseAgentV2

class Mine(BaseAgentV2):
    async def process_task(self, task):
        import {late}
        return {late}.VALUE

class Bare(BaseAgentV2):
    def __init__(self):
        super().__init__(name="bare")
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings in a folder of a program's own, where no trace of an import stays behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    read_catalog.cache_clear()
    return load_settings(None)


def test_a_name_a_file_and_a_class_are_agents_with_the_same_arguments(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine_1.py").write_text(MODULE.format(late="late_1"))
    (tmp_path / "translator.md").write_text("---\ndescription: Translates\n---\nYou translate.")
    typed = ["senior-engineer", "./translator.md", "mine_1:Mine"]
    found = chosen_agents(Selection(typed), settings, config_path=None, max_concurrent_tasks=2)
    assert [agent.name for agent in found] == ["senior-engineer", "translator", "mine"]
    assert [agent.max_concurrent_tasks for agent in found] == [2, 2, 2]


async def test_a_class_may_import_from_its_folder_late(settings: Settings, tmp_path: Path) -> None:
    from schemas import TaskMessage

    (tmp_path / "mine_2.py").write_text(MODULE.format(late="late_2"))
    (tmp_path / "late_2.py").write_text("VALUE = 7\n")
    (agent,) = chosen_agents(Selection(("mine_2:Mine",)), settings)
    assert await agent.process_task(TaskMessage(agent="mine", prompt="x")) == 7
    assert sys.path.count(str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("given", "option"), [({"config_path": "x.toml"}, "--config"), ({"max_concurrent_tasks": 2}, "--concurrency")]
)
def test_a_class_that_takes_no_arguments_is_refused_only_those_that_are_given(
    settings: Settings, tmp_path: Path, given: dict[str, Any], option: str
) -> None:
    (tmp_path / "mine_3.py").write_text(MODULE.format(late="late_3"))
    (bare,) = chosen_agents(Selection(("mine_3:Bare",)), settings, config_path=None, max_concurrent_tasks=None)
    assert bare.name == "bare"
    (name,) = given
    with pytest.raises(AgentNotFoundError, match=f"Bare cannot be given {option}: let its __init__ take {name}, or"):
        chosen_agents(Selection(("mine_3:Bare",)), settings, **{"config_path": None, **given})


def test_a_module_that_misses_another_names_it(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine_4.py").write_text("import not_installed_4\n")
    with pytest.raises(AgentNotFoundError, match="no module 'not_installed_4' for 'mine_4:Mine'"):
        chosen_agents(Selection(("mine_4:Mine",)), settings)


def test_folders_of_ones_own_are_searched_before_the_catalogue(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "senior-engineer.md").write_text("---\ndescription: Mine\n---\nYou are mine.")
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", str(tmp_path / "own"))
    mine, theirs = chosen_agents(Selection(("senior-engineer", "product-manager")), load_settings(None))
    assert mine.description == "Mine"
    assert theirs.description == load_catalog()["product-manager"].description
    assert settings.agents_path == ()


@pytest.mark.usefixtures("settings")
def test_a_broken_file_beside_it_hides_no_agent_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, agent_text("Mine"), "mine")
    written(tmp_path, agent_text("Breaks", "tier: huge"), "broken")
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", str(tmp_path))
    (agent,) = chosen_agents(Selection(("mine",)), load_settings())
    assert agent.description == "Mine"
    assert f"warning: passed over: {tmp_path}/broken.md: tier 'huge' is not known" in capsys.readouterr().err
    with pytest.raises(AgentFileError, match=r"broken\.md: tier 'huge'"):
        chosen_agents(Selection(("broken",)), load_settings())


def test_whole_categories_and_patterns_are_made_into_agents(settings: Settings) -> None:
    chosen = chosen_agents(Selection(("*-guard",), categories=("management",)), settings, max_concurrent_tasks=1)
    expected = {name for name, file in load_catalog().items() if file.category == "management"}
    assert {agent.name for agent in chosen} == {"prompt-injection-guard", *expected}
    assert {agent.max_concurrent_tasks for agent in chosen} == {1}
