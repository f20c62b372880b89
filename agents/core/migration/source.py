"""A Python file as text and as a syntax tree, or the reason why there is none."""

import ast
import io
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 2_000_000
"""Of one file. An agent's has some ten thousand; what is larger is data that somebody gave the ending .py."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that could be read."""

    path: Path
    text: str
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be; `line` and `column` count from 1, and are None where the whole file is meant."""

    path: Path
    reason: str
    line: int | None = None
    column: int | None = None


def read_source(path: Path) -> Source | Unreadable:
    """Read and parse a file; never raises for what the file is."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return Unreadable(path, f"is larger than {MAX_BYTES:,} bytes, so it was not read: move its data elsewhere")
        content = path.read_bytes()
    except OSError as error:
        return Unreadable(path, f"cannot be read: {error.strerror or error}")
    try:
        return _parsed(path, decoded(content))
    except (SyntaxError, UnicodeDecodeError):
        return Unreadable(path, "is not in the encoding that it claims: save it as UTF-8, or name it in line 1")


def decoded(content: bytes) -> str:
    """Return a program's text in the encoding that its first lines name, else UTF-8, its line ends as they are.

    Raises:
        SyntaxError: its coding line names no known encoding.
        UnicodeDecodeError: it is not in the encoding that it claims.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.TextIOWrapper(io.BytesIO(content), encoding, newline="").read()


def _parsed(path: Path, text: str) -> Source | Unreadable:
    try:
        return Source(path, text, parsed(text))
    except SyntaxError as error:
        return Unreadable(path, f"does not compile: {error.msg}", error.lineno, error.offset)
    except (ValueError, RecursionError, MemoryError) as error:
        return Unreadable(path, f"does not compile: {error}")


def parsed(text: str) -> ast.Module:
    """Parse and compile a program without running it. Raises what `compile` does; its warnings are not ours to tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
        # Some errors, such as a `return` outside of a function, show only here.
        compile(text, "<agent>", "exec", dont_inherit=True)
    return tree
