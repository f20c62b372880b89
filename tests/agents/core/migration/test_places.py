"""Where agents are looked for, and what is named because it could not be looked into."""

import os
from pathlib import Path

import pytest

from agents.core.migration.places import places_in


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def test_folders_with_a_main_file_and_other_files_are_places_in_the_order_of_their_paths(tmp_path: Path) -> None:
    put(
        tmp_path,
        "b-agent/agent.py",
        "b-agent/app.py",
        "a_agent/app.py",
        "lone.py",
        "deep/er/agent.py",
        "deep/notes.txt",
    )
    found = places_in(tmp_path)
    assert [(place.name, [path.name for path in place.files], place.is_main) for place in found.places] == [
        ("lone", ["lone.py"], False),
        ("a_agent", ["app.py"], True),
        ("b-agent", ["agent.py", "app.py"], True),
        ("er", ["agent.py"], True),
    ]
    assert found.troubles == []


def test_environments_hidden_folders_and_tests_are_skipped(tmp_path: Path) -> None:
    put(
        tmp_path,
        *(f"{name}/agent.py" for name in (".git", "venv", "tests", "node_modules", "__pycache__", "my-env")),
        "my-env/pyvenv.cfg",
        "test_agent.py",
        "agent_test.py",
        "conftest.py",
        ".hidden.py",
    )
    assert places_in(tmp_path).places == []


def test_the_folder_that_is_asked_for_is_never_skipped(tmp_path: Path) -> None:
    put(tmp_path, "tests/agent.py")
    assert [place.name for place in places_in(tmp_path / "tests").places] == ["tests"]


def test_a_single_file_is_one_place_named_for_its_folder_or_itself(tmp_path: Path) -> None:
    put(tmp_path, "my-agent/app.py", "lone.py")
    assert [place.name for place in places_in(tmp_path / "my-agent" / "app.py").places] == ["my-agent"]
    assert [place.name for place in places_in(tmp_path / "lone.py").places] == ["lone"]


def test_links_are_followed_once_and_loops_are_named(tmp_path: Path) -> None:
    put(tmp_path, "house/one/agent.py", "elsewhere/two/agent.py")
    root = tmp_path / "house"
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "one" / "up").symlink_to(root)
    (root / "lost.py").symlink_to(root / "nowhere.py")
    (root / "self.py").symlink_to(root / "self.py")
    os.mkfifo(root / "pipe.py")
    found = places_in(root)
    assert [place.name for place in found.places] == ["two", "one"]
    assert sorted((trouble.path.name, trouble.reason) for trouble in found.troubles) == [
        ("lost.py", "cannot be read: No such file or directory"),
        ("pipe.py", "is no regular file: not read"),
        ("self.py", "cannot be read: Too many levels of symbolic links"),
        ("up", "is a link to a folder that is read elsewhere: not followed"),
    ]


def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "open/agent.py", "shut/agent.py")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = places_in(tmp_path)
    assert [place.name for place in found.places] == ["open"]
    assert [(trouble.path.name, trouble.reason) for trouble in found.troubles] == [
        ("shut", "cannot be looked into: Permission denied")
    ]
