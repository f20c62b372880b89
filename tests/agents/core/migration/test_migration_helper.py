"""The module that the first generation's document names."""

import subprocess
import sys
from pathlib import Path

import pytest

from agents.core import migration_helper
from agents.core.migration_helper import agents_folder, main
from tests.agents.core.migration.programs import SAMPLES


def test_it_prints_the_totals_of_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    main([str(SAMPLES)])
    assert capsys.readouterr().out.startswith("Total agents: 10\nV2 ready: 0\nNeed attention: 10\nMigration plan:\n")


def test_it_takes_the_current_folder_where_none_is_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SAMPLES)
    main([])
    assert capsys.readouterr().out.startswith("Total agents: 10\n")


def test_in_its_own_folder_it_means_the_agents_beside_it(tmp_path: Path) -> None:
    own = Path(migration_helper.__file__).parent
    assert (agents_folder(own), agents_folder(tmp_path)) == (own.parent, tmp_path)


def test_a_path_that_leads_nowhere_is_one_sentence() -> None:
    with pytest.raises(SystemExit, match="error: there is nothing at /nowhere"):
        main(["/nowhere"])


def test_it_runs_as_a_file_where_it_lies_and_without_the_extra(tmp_path: Path) -> None:
    for missing in ("libcst", "jinja2"):
        (tmp_path / f"{missing}.py").write_text("raise ImportError\n")
    file = Path(migration_helper.__file__)
    ran = subprocess.run(
        [sys.executable, file.name, str(SAMPLES)],
        cwd=file.parent,
        env={"PYTHONPATH": f"{tmp_path}:{file.parents[2]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stderr, ran.stdout.splitlines()[0]) == ("", "Total agents: 10")
