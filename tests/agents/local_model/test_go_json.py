"""Error sentences of request bodies, and Go's durations."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.local_model.errors import ReplyError
from agents.local_model.go_json import parse_body, parse_duration, parse_keep_alive


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "missing request body"),
        (b"  \n", "missing request body"),
        (b"{", "unexpected EOF"),
        (b'{"model": "x', "unexpected EOF"),
        (b'{"model": }', "invalid character '}' looking for beginning of value"),
        (b"[1]", "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        (b"null", "json: cannot unmarshal null into Go value of type api.ChatRequest"),
    ],
)
def test_a_body_that_is_no_object_is_refused_in_the_words_of_go(data: bytes, sentence: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_body(data, "ChatRequest")
    assert (caught.value.status, caught.value.message) == (400, sentence)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (5, "cannot unmarshal number into Go struct field ChatRequest.x of type string"),
        (5.5, "cannot unmarshal number into Go struct field ChatRequest.x of type string"),
        (True, "cannot unmarshal bool into Go struct field ChatRequest.x of type string"),
        ([], "cannot unmarshal array into Go struct field ChatRequest.x of type string"),
        ({}, "cannot unmarshal object into Go struct field ChatRequest.x of type string"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(value: object, sentence: str) -> None:
    body = parse_body(json.dumps({"x": value}).encode(), "ChatRequest")
    with pytest.raises(ReplyError, match=sentence):
        body.text("x")


def test_the_types_of_all_other_fields_are_named_too() -> None:
    body = parse_body(b'{"x": "y", "list": [7], "deep": [{"role": 3}]}', "R")
    for read, go_type in (
        (lambda: body.flag("x", default=True), "bool"),
        (lambda: body.number("x"), "int"),
        (lambda: body.mapping("x"), "map"),
        (lambda: body.items("x", "[]int"), "int"),
        (lambda: body.objects("list", "api.Message"), "api.Message"),
    ):
        with pytest.raises(ReplyError, match=f"of type .*{go_type}"):
            read()
    with pytest.raises(ReplyError, match=r"cannot unmarshal number into Go struct field R\.deep\.role of type string"):
        body.objects("deep", "api.Message")[0].text("role")


def test_null_and_absent_are_the_default() -> None:
    body = parse_body(b'{"a": null}', "R")
    for name in ("a", "b"):
        assert (body.text(name), body.number(name), body.flag(name, default=True)) == ("", 0, True)
        assert (body.mapping(name), body.items(name, "[]int"), body.raw(name)) == ({}, [], None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0),
        (300, 300),
        (2.5, 2.5),
        (-1, -1),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("300ms", 0.3),
        ("0", 0),
        ("-1m", -60),
        ("+.5s", 0.5),
    ],
)
def test_a_keep_alive_is_read_as_seconds(value: object, seconds: float | None) -> None:
    assert parse_keep_alive(value) == seconds


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("abc", 'time: invalid duration "abc"'),
        ("", 'time: invalid duration ""'),
        ("5m!3", 'time: unknown unit "m!" in duration "5m!3"'),
        ("5m!", 'time: unknown unit "m!" in duration "5m!"'),
        ("m5", 'time: invalid duration "m5"'),
        ("300", 'time: missing unit in duration "300"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        (True, "Unsupported type: 'bool'"),
        ([], "Unsupported type: '[]interface {}'"),
        ({}, "Unsupported type: 'map[string]interface {}'"),
    ],
)
def test_what_is_no_keep_alive_is_refused_in_the_words_of_go(value: object, sentence: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_keep_alive(value)
    assert (caught.value.status, caught.value.message) == (400, sentence)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    wanted = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert parse_duration(f"{hours}h{minutes}m{seconds}s{milliseconds}ms") == pytest.approx(wanted)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(ReplyError):
        parse_body(data, "R")
