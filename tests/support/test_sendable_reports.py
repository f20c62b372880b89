import subprocess
import sys
from pathlib import Path

ODD = r"""
import logging
import pytest

@pytest.mark.parametrize("text", ["\ud800"])
def test_odd(text):
    logging.error(text)
    print(ascii(text))

def test_fails():
    assert "\ud800" == "expected"
"""


def test_a_text_that_utf_8_cannot_write_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / "test_odd.py").write_text(ODD)
    arguments = ["-p", "tests.conftest", "-n1", f"--rootdir={tmp_path}", "-c/dev/null", str(tmp_path)]
    ran = subprocess.run([sys.executable, "-m", "pytest", *arguments], capture_output=True, text=True, check=False)
    assert "INTERNALERROR" not in ran.stdout + ran.stderr
    assert "1 failed, 1 passed" in ran.stdout
    assert r"\ud800" in ran.stdout
