from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agents.top.agent_rows import agent_rows
from agents.top.columns import AGENTS, HOSTS, RESULTS, SERVERS, Column, Fitted, Row
from agents.top.tone import Tone
from tests.support import reports


def titles(columns: Sequence[Column[Row]], width: int) -> list[str]:
    return [column.title for column, _ in Fitted(columns, width).columns]


def test_at_80_columns_what_matters_most_is_there_and_on_a_wide_screen_everything_is() -> None:
    needed = ["AGENT", "STATE", "RUN", "WAIT", "HELD", "DONE", "FAIL", "DEAD"]
    assert [title for title in titles(AGENTS, 78) if title not in ("RETRY", "P95")] == needed
    assert titles(AGENTS, 99) == [column.title for column in AGENTS]
    assert titles(SERVERS, 78)[:7] == ["MODEL SERVER", "BREAKER", "SLOTS", "WAIT", "TOK/S", "WRITTEN", "PROBE"]
    assert "LINKS" in titles(HOSTS, 78)
    assert "TOLD" in titles(RESULTS, 57)


def test_beside_the_agents_the_host_and_the_next_probe_of_a_server_stay_and_nothing_is_cut() -> None:
    stays = ["MODEL SERVER", "BREAKER", "SLOTS", "WAIT", "PROBE", "HOST"]
    assert titles(SERVERS, 57) == stays
    assert titles(SERVERS, 65) == [*stays[:4], "WRITTEN", *stays[4:]]
    assert titles(SERVERS, 45) == stays[:5]
    assert max(cell_len(Fitted(HOSTS, 57).header()), cell_len(Fitted(RESULTS, 57).header())) <= 57


def test_names_of_agents_have_the_room_that_there_is() -> None:
    assert [{c.title: width for c, width in Fitted(AGENTS, at).columns}["AGENT"] for at in (58, 78, 89)] == [
        24, 28, 27,
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [AGENTS, SERVERS, HOSTS, RESULTS])
@given(width=st.integers(0, 300))
def test_a_line_is_never_wider_than_its_place_if_that_holds_what_stays(
    columns: Sequence[Column[object]], width: int
) -> None:
    stays = sum(column.width + 1 for column in columns if not column.rank)
    assert cell_len(Fitted(columns, width).header()) <= max(width, stays)


@given(st.text(max_size=40), st.integers(1, 12), st.booleans())
def test_a_cell_is_as_wide_as_its_column_whatever_stands_in_it(text: str, width: int, is_figure: bool) -> None:
    column: Column[object] = Column("X", width, lambda _row: text, is_figure=is_figure)
    cell = Fitted([column], 0).cells(None)[0]
    assert cell_len(cell.text) == width + 1
    assert cell.text.isprintable()


def test_what_is_cut_says_so_and_figures_stand_at_the_right() -> None:
    rows = agent_rows([reports.agent("a-very-long-name-of-an-agent-", consumer="lost")], {}, ())
    cells = Fitted(AGENTS, 58).cells(rows[0])
    assert cells[0].text == "a-very-long-name-of-an-… "
    assert (cells[1].text, cells[1].tone) == ("✗ lost      ", Tone.BAD)
    assert (cells[2].text, cells[2].tone) == ("  0 ", Tone.DIM)
    assert cells[3].text == "    - "
