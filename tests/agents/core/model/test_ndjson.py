import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.errors import ModelServerError
from agents.core.model.ndjson import LineSplitter, parse_object


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


def test_a_line_holds_an_object() -> None:
    assert parse_object(b'{"done": true}') == {"done": True}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"<html>", "is no JSON: is OLLAMA_URL the address of an Ollama"),
        (b"\xff", "is no JSON"),
        (b'{"a":' * 100_000, "is no JSON"),
        (b"[1]", "is a JSON list instead of an object"),
    ],
)
def test_a_line_without_an_object_is_the_servers_fault(line: bytes, words: str) -> None:
    with pytest.raises(ModelServerError, match=words):
        parse_object(line)
