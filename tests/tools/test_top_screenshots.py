"""The pictures of docs/top.md, and what the page tells of the keys and columns on them."""

import re
from pathlib import Path

from textual.binding import Binding

from agents.top.app import TopApp
from agents.top.columns import AGENTS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "top.md").read_text()

MOST_BYTES = 300_000
MOST_PIXELS = 1_200


def test_the_page_shows_both_pictures_and_they_are_small_enough_for_it() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert sorted(shown) == ["top-160.png", "top-80.png"]
    for name in shown:
        picture = (ROOT / "docs" / name).read_bytes()
        assert (name, len(picture) < MOST_BYTES) == (name, True)
        assert int.from_bytes(picture[16:20], "big") <= MOST_PIXELS  # the width, where every PNG has it


def test_the_page_tells_every_key_of_the_footer_and_every_figure_of_an_agent() -> None:
    keys = [key for key in TopApp.BINDINGS if isinstance(key, Binding) and key.show]
    told = PAGE.partition("## Keys")[2].casefold()
    assert [key.key for key in keys if (key.key_display or key.key).casefold() not in told] == []
    figures = [column.title for column in AGENTS if column.is_figure and column.title != "HOSTS"]
    assert [title for title in figures if f"`{title}`" not in PAGE] == []
