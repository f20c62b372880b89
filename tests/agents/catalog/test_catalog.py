import os
from pathlib import Path

import pytest

from agents.core.catalog import AgentFileError, load_catalog, markdown_files, read_catalog
from tests.support.agent_files import agent_text, written


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two folders with agents, and one that is missing."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    (second / "deep").mkdir(parents=True)
    written(first, "# A readme", "README")
    written(first, agent_text("Mine"), "twice")
    written(second / "deep", agent_text("Theirs"), "twice")
    written(second / "deep", agent_text("Other"), "other")
    return first, second, tmp_path / "missing"


def test_files_without_front_matter_are_passed_over_and_the_first_folder_wins(folders: tuple[Path, ...]) -> None:
    found = {name: agent.description for name, agent in load_catalog(folders).items()}
    assert found == {"twice": "Mine", "other": "Other"}


def test_hidden_folders_are_left_out_unless_they_are_named(folders: tuple[Path, ...]) -> None:
    hidden = folders[0] / ".venv"
    hidden.mkdir()
    written(hidden, agent_text(), "hidden")
    assert "hidden" not in load_catalog(folders)
    assert [path.stem for path in markdown_files([hidden])] == ["hidden"]


def test_a_broken_file_hides_none_of_the_good_ones_and_is_told(folders: tuple[Path, ...]) -> None:
    huge = written(folders[0], agent_text("Bad", "tier: huge"), "bad")
    (folders[1] / "worse.md").write_bytes(b"---\nname: \xff\n---\n")
    (folders[1] / "gone.md").symlink_to("nowhere.md")
    os.mkdir(folders[1] / "folder.md")  # noqa: PTH102 - the name of a file that is none
    catalog = read_catalog(folders)
    assert set(catalog.agents) == {"twice", "other"}
    assert [error.path.name for error in catalog.broken] == ["bad.md", "folder.md", "gone.md", "worse.md"]
    first = catalog.broken[0]
    assert isinstance(first, AgentFileError)
    assert (first.path, first.faults) == (huge, ("tier 'huge' is not known: use one of opus, sonnet, default",))
