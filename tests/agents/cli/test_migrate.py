"""`sutazai migrate`: a report that changes nothing, and a rewrite that tells what it refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agents.core.migration.programs import SAMPLES
from tests.support.command_line import Cli

REWRITABLE = ["code-reviewer", "email_drafter", "log-digest", "meeting-minutes", "ticket-triage"]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the ten samples."""
    return Path(shutil.copytree(SAMPLES, tmp_path / "house"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.py"))}


def test_the_report_is_a_table_the_faults_and_the_totals_in_80_columns(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = cli("migrate", "report", str(SAMPLES))
    assert (ran.code, ran.err) == (0, "")
    table, faults, totals = ran.out.split("\n\n")
    assert all(len(line) <= 80 for line in table.splitlines())
    assert table.splitlines()[3].split() == ["faq-bot", "faq-bot", "v1", "by", "hand", "5", "4"]
    assert "translator/agent.py:14:13: read: does not compile" in faults
    assert faults.endswith("more notes: --json and --html tell them")
    assert totals.startswith("Total agents: 10\nV2 ready: 0\n")


def test_the_report_as_json_and_as_a_page(cli: Cli, tmp_path: Path) -> None:
    ran = cli("migrate", "report", str(SAMPLES), "--json", "--html", str(tmp_path / "report.html"))
    assert ran.code == 0
    assert json.loads(ran.out)["total_agents"] == 10
    assert ran.err == f"written to {tmp_path / 'report.html'}\n"
    assert "<h1>Migration report" in (tmp_path / "report.html").read_text()
    shut = cli("migrate", "report", str(SAMPLES), "--html", str(tmp_path / "none" / "report.html"))
    assert shut.code == 2
    assert "cannot be written: No such file" in shut.sentence


def test_the_report_of_an_empty_folder_and_of_none(cli: Cli, tmp_path: Path) -> None:
    ran = cli("migrate", "report", str(tmp_path))
    assert ran.code == 0
    assert ran.out == (
        f"no agents found under {tmp_path}: an agent is a folder with agent.py or app.py, "
        "or a file with an agent's class\n"
    )
    assert cli("migrate", "report", str(tmp_path / "none")).code == 2


def test_the_rewrite_prints_diffs_that_patch_takes_and_writes_nothing(cli: Cli, house: Path) -> None:
    before = contents(house)
    ran = cli("migrate", "rewrite", str(house))
    assert ran.code == 9
    assert contents(house) == before
    assert ran.out.count("\n-class ") + ran.out.startswith("-class") == 5
    assert ran.err.endswith("5 can be rewritten, 4 refused; --write does it\n")
    assert f"refused: {house}/glossary-keeper/agent.py:13: handle_explain asks the model" in ran.err
    assert f"note: {house}/log-digest/app.py:25: time.sleep stops the event loop" in ran.err
    subprocess.run(["patch", "-s", "-p1", "-d", "/"], input=ran.out, text=True, check=True)
    changed = {name.split("/")[0] for name, content in contents(house).items() if content != before[name]}
    assert sorted(changed) == REWRITABLE


def test_the_rewrite_writes_what_compiles_and_a_second_time_changes_nothing(cli: Cli, house: Path) -> None:
    ran = cli("migrate", "rewrite", str(house), "--write")
    assert (ran.code, ran.out) == (9, "")
    assert ran.err.endswith("5 rewritten, 4 refused\n")
    once = contents(house)
    for name in REWRITABLE:
        (file,) = (house / name).glob("a*.py")
        subprocess.run([sys.executable, "-m", "py_compile", str(file)], check=True)
    again = cli("migrate", "rewrite", str(house), "--write")
    assert again.err.endswith("0 rewritten, 4 refused\n")
    assert contents(house) == once
    report = json.loads(cli("migrate", "report", str(house), "--json").out)
    assert (report["v2_ready"], report["need_attention"]) == (5, 5)


def test_one_agent_without_a_refusal_ends_with_0(cli: Cli, house: Path) -> None:
    for path in (house / "code-reviewer", house / "ticket-triage" / "agent.py"):
        ran = cli("migrate", "rewrite", str(path), "--write")
        assert (ran.code, ran.err.splitlines()[-1]) == (0, "1 rewritten, 0 refused")


def test_a_file_that_cannot_be_written_is_refused(cli: Cli, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refusing)
    ran = cli("migrate", "rewrite", str(house / "code-reviewer"), "--write")
    assert ran.code == 9
    assert "agent.py:1: cannot be written: Permission denied" in ran.err


def test_what_could_not_be_looked_into_is_told(cli: Cli, house: Path) -> None:
    (house / "lost.py").symlink_to(house / "nowhere")
    assert "not read: lost.py: cannot be read: No such file" in cli("migrate", "rewrite", str(house)).err
    assert "lost.py: cannot be read: No such file" in cli("migrate", "report", str(house)).out


@pytest.mark.parametrize(("module", "arguments"), [("libcst", ["rewrite"]), ("jinja2", ["report", "--html", "x.html"])])
def test_without_the_extra_one_line_tells_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, module: str, arguments: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    ran = cli("migrate", arguments[0], str(SAMPLES), *arguments[1:])
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == f"error: {module} is not installed: pip install 'sutazai-agents[migrate]'"
    assert cli("migrate", "report", str(SAMPLES)).code == 0
