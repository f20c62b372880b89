"""What the docs say of settings, exit codes, commands and files is what the code has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import AliasChoices

from agents.core.exit_codes import ExitCode
from agents.core.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def rows_of(page: str) -> list[list[str]]:
    """Return the cells of all table rows that begin with a cell in backticks or a number."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in cells if re.match(r"`|\d", row[0])]


def variables_of(name: str) -> list[str]:
    alias = Settings.model_fields[name].validation_alias
    named = list(alias.choices) if isinstance(alias, AliasChoices) else [alias] if alias else []
    own = f"SUTAZAI_{name.upper()}"
    return [str(variable) for variable in named] + [own] * (own not in named)


def test_every_setting_is_told_with_its_variables() -> None:
    told = {row[0].strip("`"): re.findall(r"`([A-Z_]+)`", row[1]) for row in rows_of("settings.md")}
    assert told == {name: variables_of(name) for name in Settings.model_fields}


def test_every_exit_code_is_told() -> None:
    told = {row[1].strip("`"): int(row[0]) for row in rows_of("exit-codes.md") if row[0].isdigit()}
    assert told == {code.name: code.value for code in ExitCode}


def test_the_reference_of_the_command_line_is_up_to_date() -> None:
    command = [sys.executable, "-m", "typer", "agents.cli.main", "utils", "docs", "--name", "sutazai"]
    written = subprocess.run(
        [*command, "--title", "The command line"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert (ROOT / "docs" / "cli.md").read_text().strip() == written.strip(), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_source_file_that_the_docs_name_exists() -> None:
    named = set[str]()
    for page in PAGES:
        named |= set(
            re.findall(
                r"`((?:schemas|bus|agents|tests|tools|deploy|examples|benchmarks)/[\w./-]+\.\w+)`", page.read_text()
            )
        )
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
