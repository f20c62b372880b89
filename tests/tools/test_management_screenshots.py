"""The walk of docs/management-ui.md is the one that its pictures were taken on."""

import json
import re
from pathlib import Path

from tools.screenshots import walk
from tools.screenshots.stage import HASTY

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "management-ui.md").read_text()

MOST_BYTES = 150_000
MOST_PIXELS = 1_200


def pictures() -> dict[str, Path]:
    return {path.name: path for path in ROOT.glob("docs/management-ui-*.png")}


def test_the_page_shows_every_picture_and_each_says_in_words_what_is_on_it() -> None:
    shown = re.findall(r"!\[([^\]]{20,})\]\(([^)]+)\)", PAGE)
    assert sorted(name for _, name in shown) == sorted(pictures())


def test_pictures_are_small_enough_for_a_page() -> None:
    for path in pictures().values():
        picture = path.read_bytes()
        assert (path.name, len(picture) < MOST_BYTES) == (path.name, True)
        assert int.from_bytes(picture[16:20], "big") <= MOST_PIXELS  # the width, where every PNG has it


def test_the_page_has_its_reader_do_what_the_tool_does() -> None:
    assert HASTY in PAGE
    assert json.dumps(walk.STORY) in PAGE
    assert f'"model": "{walk.WRONG_MODEL["model"]}"' in PAGE
    for prompt, priority in walk.QUESTIONS:
        assert f"| `{priority}` | `{json.dumps({'prompt': prompt})}` |" in PAGE
