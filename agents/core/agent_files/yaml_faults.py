"""What is wrong with a file's YAML, in words of its own lines. Pure."""

import re
from typing import Final

import yaml

LONGEST: Final = 80
"""Characters of a line that a sentence quotes."""

_BEGINNING: Final = re.compile(r"-{3,}\s*$", re.MULTILINE)
_KEY: Final = re.compile(r"\s*[\w-]+:(?:\s|$)")
_QUOTED: Final = re.compile(r"\s*[\w-]+:\s+['\"]")
_INDENTED: Final = "this begins in another column than the lines it belongs to: use the same number of spaces"
_UNCLOSED: Final = "a quote is opened here and not closed"

_WORDS: Final = (
    ("found unexpected end of stream", _UNCLOSED),
    ("found unexpected document", _UNCLOSED),
    ("could not find expected ':'", "this is no key with a colon: write `key: value`, or set it further in"),
    ("expected ',' or ']'", "a bracket is opened here and not closed, or a comma is missing: put `[...]` in quotes"),
    ("expected ',' or '}'", "a brace is opened here and not closed, or a comma is missing: put `{...}` in quotes"),
    ("found undefined alias", "a `*` cannot begin a text: put the text in quotes"),
    ("did not find expected", _INDENTED),
    ("but found", _INDENTED),
)
"""Parts of what the YAML readers in C and in Python say, and what that means to people; the first that fits counts."""


def yaml_fault(error: yaml.YAMLError, text: str) -> str:
    """Return a sentence without a subject: the line of the file, what is wrong there, and the line itself.

    `text` is the whole file; the error comes from the reader of its front matter.
    """
    start = _BEGINNING.match(text)
    before = text.count("\n", 0, start.end()) if start else 0
    if isinstance(error, yaml.reader.ReaderError):
        return f"cannot be read: character {error.character:#04x} may not stand in YAML: remove it"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"cannot be read as YAML: {' '.join(str(error).split())}"
    number, column = _place(error)
    lines = text.split("\n")
    line = lines[min(before + number, len(lines) - 1)]
    quoted = line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
    return f"line {before + number + 1} of the file: {_told(error, line, column)}: {quoted!r}"


def _place(error: yaml.MarkedYAMLError) -> tuple[int, int]:
    """Return line and column, from 0: of what was opened and not closed, else of where the reader stopped."""
    opened = ("a quoted scalar", "a flow sequence", "a flow mapping", "a simple key")
    mark = error.context_mark if (error.context or "").endswith(opened) else error.problem_mark
    assert mark is not None  # noqa: S101 - the caller has looked, and these contexts have theirs
    return mark.line, mark.column


def _told(error: yaml.MarkedYAMLError, line: str, column: int) -> str:
    problem = error.problem or "this is no YAML"
    if "\t" in line[: len(line) - len(line.lstrip())] or line[column : column + 1] == "\t":
        return "a tab: use spaces"
    if "mapping values are not allowed" in problem:
        return _of_colon(line, column)
    if _QUOTED.match(line) and problem.startswith(("did not find expected key", "expected <block end>")):
        return "text goes on behind a closing quote: put the whole in quotes of the other kind"
    if "that cannot start any token" in problem:
        return f"{line[column : column + 1]!r} cannot begin a text: put the text in quotes"
    return next((words for part, words in _WORDS if part in problem), problem)


def _of_colon(line: str, column: int) -> str:
    key = _KEY.match(line)
    if key is not None and key.end() <= column:
        return "a colon within a text: put the text in quotes"
    return _INDENTED
