from pathlib import Path

import pytest

from tests.support.agent_files import agent_text, written
from tests.support.command_line import Cli

RULE = "lower-case letters, digits and hyphens only, at most 100"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_catalogue_is_checked_where_nothing_is_named(cli: Cli) -> None:
    ran = cli("agents", "check")
    assert (ran.code, ran.out, ran.err) == (0, "131 agents are fine\n", "")


def test_every_fault_is_a_line_and_the_code_is_2(cli: Cli, here: Path) -> None:
    written(here, agent_text("Fine"), "fine")
    written(here, "---\nname: My Agent\ntier: huge\n---\n", "bad")
    ran = cli("agents", "check", ".")
    assert ran.code == 2
    assert ran.out.splitlines() == [
        f"bad.md: name 'My Agent' is not usable: {RULE}: my-agent would do",
        "bad.md: tier 'huge' is not known: use one of opus, sonnet, default",
        "bad.md: description is missing: give it one line of text",
        "bad.md: there is no system prompt: write it below the front matter",
        "4 faults in 1 file; 1 agent is fine",
    ]


def test_what_does_nothing_is_a_note_and_no_fault(cli: Cli, here: Path) -> None:
    path = written(here, agent_text("Fine", "tools: Bash", "colour: red", "max_attempt: 5"), "fine")
    ran = cli("agents", "check", str(path))
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "fine.md: note: tools is kept and not used: agents here have no tools",
        "fine.md: note: colour is kept and not used",
        "fine.md: note: max_attempt is kept and not used: did you mean max_attempts?",
        "1 agent is fine",
    ]


def test_a_misspelt_key_is_told_beside_the_fault_that_it_makes(cli: Cli, here: Path) -> None:
    written(here, "---\ndescripton: Works\noptions: {temprature: 1}\n---\nYou work.", "near")
    ran = cli("agents", "check", ".")
    assert ran.out.splitlines() == [
        "near.md: description is missing: give it one line of text",
        "near.md: note: descripton is kept and not used: did you mean description?",
        "near.md: note: options.temprature goes to the model server as it is: did you mean temperature?",
        "1 fault in 1 file; 0 agents are fine",
    ]


def test_a_text_without_front_matter_is_a_fault_where_it_is_named_and_else_a_note(cli: Cli, here: Path) -> None:
    notes = written(here, "# Notes", "notes")
    written(here, "# What this is", "README")
    assert cli("agents", "check", ".").out.splitlines() == [
        "notes.md: note: no agent: it has no front matter",
        "0 agents are fine",
    ]
    named = cli("agents", "check", str(notes), "missing.md")
    assert named.code == 2
    assert named.out.splitlines() == [
        "notes.md: it has no front matter: begin it with three lines, `---`, `description: What it does` and `---`",
        "missing.md: no such file",
        "2 faults in 2 files; 0 agents are fine",
    ]


def test_two_files_of_one_folder_with_one_name_are_a_fault(cli: Cli, here: Path) -> None:
    written(here, agent_text("One", "name: same"), "a")
    written(here, agent_text("Two", "name: same"), "b")
    ran = cli("agents", "check", ".")
    assert (ran.code, ran.out.splitlines()) == (
        2,
        [
            "b.md: name 'same' is that of a.md too: give each agent a name of its own",
            "1 fault in 1 file; 1 agent is fine",
        ],
    )


def test_a_file_that_takes_the_place_of_one_of_a_later_folder_is_a_note(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "own").mkdir()
    written(here / "own", agent_text("Mine"), "senior-engineer")
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", str(here / "own"))
    ran = cli("agents", "check")
    assert ran.code == 0
    note, fine = ran.out.splitlines()
    assert note.endswith("own/senior-engineer.md comes first and hides it: both have the name 'senior-engineer'")
    assert fine == "131 agents are fine"


def test_a_file_in_two_of_the_folders_is_checked_once(cli: Cli, here: Path) -> None:
    path = written(here, agent_text("Fine"), "fine")
    assert cli("agents", "check", ".", str(path)).out == "1 agent is fine\n"
