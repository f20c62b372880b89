from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.ndjson import LineSplitter


@given(st.lists(st.text().map(str.encode).filter(lambda line: b"\n" not in line)), st.data())
def test_lines_are_the_same_whatever_pieces_they_come_in(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    splitter = LineSplitter()
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found.extend(splitter.feed(whole[start:end]))
    found.extend(splitter.rest())
    assert found == [line.strip() for line in lines if line.strip()]


def test_the_rest_is_given_out_once() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b'{"a": 1}')) == []
    assert list(splitter.rest()) == [b'{"a": 1}']
    assert list(splitter.rest()) == []
