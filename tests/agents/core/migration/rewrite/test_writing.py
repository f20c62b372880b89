"""Writing a rewritten file: in one step, mode and link kept, and nothing left behind."""

import os
import stat
from pathlib import Path

import pytest

from agents.core.migration.rewrite.rewriting import Rewritten


def test_the_file_keeps_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "agent.py"
    path.write_bytes(b"old")
    path.chmod(0o750)
    Rewritten(path, b"old", b"new").write()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o750)
    assert [left.name for left in tmp_path.iterdir()] == ["agent.py"]


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "agent.py").write_bytes(b"old")
    link = tmp_path / "agent.py"
    link.symlink_to(tmp_path / "real" / "agent.py")
    Rewritten(link, b"old", b"new").write()
    assert link.is_symlink()
    assert (tmp_path / "real" / "agent.py").read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent.py"
    path.write_bytes(b"old")

    def full(number: int, mode: str) -> None:
        os.close(number)
        raise OSError(28, "No space left on device", mode)

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError, match="No space left"):
        Rewritten(path, b"old", b"new").write()
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("agent.py", b"old")]


def test_a_diff_is_one_that_patch_takes(tmp_path: Path) -> None:
    outcome = Rewritten(tmp_path / "agent.py", b"one\ntwo\n", b"one\n2\n")
    assert outcome.diff("x/agent.py") == "--- a/x/agent.py\n+++ b/x/agent.py\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"


def test_a_diff_tells_of_a_missing_line_end_at_the_end(tmp_path: Path) -> None:
    outcome = Rewritten(tmp_path / "agent.py", b"one\ntwo", b"1\ntwo")
    assert outcome.diff("a.py").endswith("-one\n+1\n two\n\\ No newline at end of file\n")
