from pathlib import Path

import pytest
import yaml

from agents.core.agent_files.front_matter import DEEPEST
from agents.core.agent_files.yaml_faults import LONGEST, yaml_fault
from agents.core.catalog import AgentFileError, read_agent_file
from tests.support.agent_files import written

INDENTED = "this begins in another column than the lines it belongs to: use the same number of spaces"
BEHIND = "text goes on behind a closing quote: put the whole in quotes of the other kind"
OPENED = "is opened here and not closed, or a comma is missing: put"
HEAD = "---\ndescription: Works\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("options:\n\ttop_k: 1", r"line 4 of the file: a tab: use spaces: '\ttop_k: 1'"),
        ("tier: \tx: @", "line 3 of the file: a colon within a text: put the text in quotes: 'tier: \\tx: @'"),
        ("category: a: b", "line 3 of the file: a colon within a text: put the text in quotes: 'category: a: b'"),
        ("category: @a", "line 3 of the file: '@' cannot begin a text: put the text in quotes: 'category: @a'"),
        ("category: *a", "line 3 of the file: a `*` cannot begin a text: put the text in quotes: 'category: *a'"),
        (
            "category: 'a'b",
            f"line 3 of the file: {BEHIND}: \"category: 'a'b\"",
        ),
        ("options:\n  top_k: 1\n   top_p: 1", f"line 5 of the file: {INDENTED}: '   top_p: 1'"),
        ("options:\n   top_k: 1\n  top_p: 1", f"line 5 of the file: {INDENTED}: '  top_p: 1'"),
        ('category: "a\ntier: opus', "line 3 of the file: a quote is opened here and not closed: 'category: \"a'"),
        (
            "examples: [a, b\ntier: opus",
            f"line 3 of the file: a bracket {OPENED} `[...]` in quotes: 'examples: [a, b'",
        ),
        (
            "options: {a: 1\ntier: opus",
            f"line 3 of the file: a brace {OPENED} `{{...}}` in quotes: 'options: {{a: 1'",
        ),
        (
            "category\ntier: opus",
            "line 3 of the file: this is no key with a colon: write `key: value`, or set it further in: 'category'",
        ),
        ("category: \a", "cannot be read: character 0x07 may not stand in YAML: remove it"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line_and_a_remedy(tmp_path: Path, lines: str, told: str) -> None:
    path = written(tmp_path, f"{HEAD}{lines}\n---\nYou work.")
    with pytest.raises(AgentFileError) as caught:
        read_agent_file(path)
    assert caught.value.faults == (told,)


def test_the_line_is_that_of_the_file_below_a_description_over_several_lines_and_blank_ones(tmp_path: Path) -> None:
    path = written(tmp_path, "---\n\n\ndescription: Works: well\n  and long\ncategory: a: b\n---\nYou work.")
    with pytest.raises(AgentFileError, match="line 6 of the file: a colon"):
        read_agent_file(path)


@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("levels", [DEEPEST, 100_000])
def test_what_is_too_deep_for_the_reader_is_told_and_crashes_nothing(tmp_path: Path, opened: str, levels: int) -> None:
    deep = written(tmp_path, f"{HEAD}options:\n  {opened * levels}\n---\nYou work.")
    with pytest.raises(AgentFileError, match="line 4 of the file: more than 100 lists and mappings within each other"):
        read_agent_file(deep)


def test_what_is_as_deep_as_may_be_is_read(tmp_path: Path) -> None:
    depth = DEEPEST - 1
    agent = read_agent_file(written(tmp_path, f"{HEAD}x: {'[' * depth}{']' * depth}\n---\nYou work."))
    assert str(agent.extra["x"]) == "[" * depth + "]" * depth


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}category: a: {'b' * 200}\n---\nYou work.")
    with pytest.raises(AgentFileError) as caught:
        read_agent_file(path)
    assert f"'{'category: a: '.ljust(LONGEST, 'b')}…'" in str(caught.value)


def test_what_the_reader_says_without_a_place_is_told_as_it_is() -> None:
    assert yaml_fault(yaml.YAMLError("odd\n  thing"), "---\n---\n") == "cannot be read as YAML: odd thing"
