"""Files as they come: in any encoding, broken, huge, empty, or none at all."""

from pathlib import Path

import pytest

from agents.core.migration.source import MAX_BYTES, Source, Unreadable, read_source


def written(folder: Path, content: bytes) -> Path:
    path = folder / "agent.py"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x = 1\r\ny = 2\r\n",
        b"\xef\xbb\xbfx = 1\n",
        "# -*- coding: latin-1 -*-\nx = 'ä'\n".encode("latin-1"),
        "x = 'ä'\n".encode(),
        b"assert (1, 'always true')\nx = '\\d'\n",
        b"x = " + b"+".join([b"1"] * 800),
    ],
)
def test_what_python_reads_is_read_without_a_warning(tmp_path: Path, content: bytes) -> None:
    assert isinstance(read_source(written(tmp_path, content)), Source)


@pytest.mark.parametrize(
    ("content", "reason", "line", "column"),
    [
        (b"x = 1\nprint 'a'\n", "does not compile: Missing parentheses", 2, 1),
        (b"x = 1\nreturn 2\n", "does not compile: 'return' outside function", 2, 1),
        (b"if x:\ny = 1\n", "does not compile: expected an indented block", 2, 1),
        (b"x = 'a\xff'\n", "is not in the encoding that it claims", None, None),
        (b"# coding: klingon\nx = 1\n", "is not in the encoding that it claims", None, None),
        (b"# coding: ascii\nx = '\xe4'\n", "is not in the encoding that it claims", None, None),
        (b"x = 1\0\n", "does not compile", None, None),
        (b"x = " + b"-" * 100_000 + b"1", "does not compile", None, None),
        (b"#" * (MAX_BYTES + 1), "is larger than 2,000,000 bytes", None, None),
    ],
)
def test_what_python_does_not_read_is_named_with_its_place(
    tmp_path: Path, content: bytes, reason: str, line: int | None, column: int | None
) -> None:
    found = read_source(written(tmp_path, content))
    assert isinstance(found, Unreadable)
    assert found.reason.startswith(reason)
    if line is not None:
        assert (found.line, found.column) == (line, column)


def test_a_folder_or_nothing_is_named_too(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.py"):
        found = read_source(path)
        assert isinstance(found, Unreadable)
        assert found.reason.startswith("cannot be read: ")
