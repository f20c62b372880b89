from hypothesis import given
from hypothesis import strategies as st

from agents.top.cursor import Cursor

KEYS = st.lists(st.text("abcdefgh", min_size=1, max_size=2), unique=True, max_size=12)


def test_the_chosen_row_is_followed_where_it_goes() -> None:
    cursor = Cursor()
    cursor.show("abc")
    cursor.move(1)
    cursor.show("cab")
    assert cursor.index == 2
    cursor.show("ca")
    assert cursor.index == 1


def test_at_the_top_it_stays_at_the_top() -> None:
    cursor = Cursor()
    cursor.show("abc")
    cursor.show("cab")
    assert cursor.index == 0


@given(st.lists(st.tuples(KEYS, st.integers(-5, 5))), st.integers(1, 6))
def test_the_chosen_row_is_there_and_in_sight(steps: list[tuple[list[str], int]], height: int) -> None:
    cursor = Cursor()
    for keys, by in steps:
        cursor.show(keys)
        cursor.move(by)
        first = cursor.first_in_sight(height)
        assert 0 <= cursor.index <= max(0, len(keys) - 1)
        assert first <= cursor.index < first + height
        assert 0 <= first <= max(0, len(keys) - height)
