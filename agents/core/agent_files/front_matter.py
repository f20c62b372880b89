"""The two parts of an agent's file: the front matter as a mapping, and the text below it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import frontmatter
import yaml
from frontmatter.default_handlers import SafeLoader, YAMLHandler

from agents.core.agent_files.yaml_faults import yaml_fault

DEEPEST: Final = 100
"""Lists and mappings within each other. The reader in C takes some of its stack for each, and crashes where it ends."""

LARGEST: Final = 1_000_000
"""Bytes of a file; the longest of the catalogue has some thousand."""


class _Shallow(YAMLHandler):
    """Reads YAML that is not too deep."""

    def load(self, fm: str, **arguments: object) -> Any:
        depth = 0
        for event in yaml.parse(fm, Loader=SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                problem = f"more than {DEEPEST} lists and mappings within each other: put a text in quotes"
                raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)  # type: ignore[arg-type] # of C
        return super().load(fm, **arguments)


_YAML: Final = _Shallow()
_BARE_DESCRIPTION: Final = re.compile(r"^description:[ \t]+([^\s'\"|>\[{&*!].*(?:\n[ \t]+.*)*)$", re.MULTILINE)
_BARE_TOOLS: Final = re.compile(r"^tools:[ \t]+([*@].*)$", re.MULTILINE)


class UnreadableFile(Exception):
    """A file is missing, or holds no text with front matter. The text is a sentence without a subject."""


def read_front_matter(path: Path) -> tuple[Mapping[str, Any], str] | None:
    r"""Return the front matter and the text below it; None where there is no front matter.

    A description that breaks YAML's rules, as those with a colon and a blank in them do, is read as it stands, and so
    are tools such as `*`: other programs take such files, with `\n` for a line's end.

    Raises:
        UnreadableFile: see there.
    """
    text = _text_of(path)
    try:
        return _parsed(text) if _YAML.detect(text) else None
    except yaml.YAMLError as error:
        raise UnreadableFile(yaml_fault(error, text)) from error


def _text_of(path: Path) -> str:
    if path.is_fifo():
        raise UnreadableFile("is a pipe, which would be waited for for ever")
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise UnreadableFile(f"has {size:,} bytes, and an agent's file may have {LARGEST:,}")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UnreadableFile("no such file") from error
    except OSError as error:
        raise UnreadableFile(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"cannot be read as Markdown with front matter: {error}") from error


def _parsed(text: str) -> tuple[Mapping[str, Any], str]:
    # Not `frontmatter.loads`, which takes the keys for arguments: bare words such as `on` are booleans to YAML 1.1.
    try:
        return frontmatter.parse(text, handler=_YAML)
    except yaml.YAMLError:
        quoted = _BARE_TOOLS.sub(_quoted, _BARE_DESCRIPTION.sub(_quoted, text, count=1), count=1)
        if quoted == text:
            raise
        return frontmatter.parse(quoted, handler=_YAML)


def _quoted(found: re.Match[str]) -> str:
    key, lines = found[0].partition(":")[0], " ".join(found[1].split())
    value = json.dumps(lines.replace(chr(92) + "n", chr(10)), ensure_ascii=False)
    # As many lines as before: a fault further down is told with its line.
    return f"{key}: {value}" + "\n" * found[0].count("\n")
