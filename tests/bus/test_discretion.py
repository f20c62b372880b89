import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from bus.discretion import LONGEST, discreet, without_secrets


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("amqp://guest:secret@rabbit:5672/vh", "amqp://***@rabbit:5672/vh"),
        ("no answer at http://token@host (why)", "no answer at http://***@host (why)"),
        ("amqp://u:p@a,amqp://u:p@b", "amqp://***@b"),
        ("'http://u:p@a' and 'http://b'", "'http://***@a' and 'http://b'"),
        ("amqp://user:s3'cret@host and 'amqp://user:s3\"cret@host'", "amqp://***@host and 'amqp://***@host'"),
        ("mail ada@example.org about http://host/path", "mail ada@example.org about http://host/path"),
    ],
)
def test_addresses_are_told_without_user_and_password(text: str, told: str) -> None:
    assert discreet(text) == told


@given(st.text("ab:/?#@%'\"[]{}\\", min_size=1, max_size=10))
def test_no_password_is_told_whatever_is_in_it(password: str) -> None:
    assert discreet(f"no answer at amqp://guest:x{password}@rabbit/vh: try again") == (
        "no answer at amqp://***@rabbit/vh: try again"
    )


def test_the_input_that_pydantic_quotes_is_not_told() -> None:
    class Ticket(BaseModel):
        title: int
        text: int

    with pytest.raises(ValidationError) as caught:
        Ticket.model_validate({"title": "the, input_type=secret", "text": ["a secret\nof two lines"]})
    told = discreet(str(caught.value))
    assert "secret" not in told
    assert told.count("[type=int_") == 2


@pytest.mark.parametrize(
    "text",
    [
        "a@b " + "http://x/y," * 90_000,
        "a@b" + "://" * 330_000,
        "a@b " + "://x " * 200_000,
        "input_value=" * 80_000,
        "input_value=\n" * 80_000,
        "input_value=" + ", input_type=" * 80_000,
    ],
)
def test_a_long_text_of_any_kind_holds_up_nobody(text: str) -> None:
    began = time.process_time()
    discreet(text)
    assert time.process_time() - began < 5


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["why", "ada@example.org"])
CANARY = "c4n'ary"
SECRET = st.sampled_from(
    [
        f"amqp://user:{CANARY}@host/",
        f"no answer at http://{CANARY}@host: why",
        f"amqp://user:{CANARY}@host/".encode(),
        ValueError(f"amqp://user:{CANARY}@host/"),
        ValueError(f"[type=int, input_value={CANARY}, input_type=str]"),
    ]
)


def within(kept: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(kept, lambda inner: st.lists(inner, min_size=1) | st.tuples(inner) | st.builds(dict, a=inner))


@given(within(SECRET))
def test_no_value_of_a_line_tells_a_secret_whatever_holds_it(value: object) -> None:
    line = without_secrets(None, "info", {"event": "a.b", "value": value})
    assert "4n" not in repr(line)


@given(within(PLAIN))
def test_a_value_without_secrets_is_told_as_it_is(value: object) -> None:
    assert without_secrets(None, "info", {"value": value})["value"] is value


def test_what_is_very_long_is_cut_after_secrets_are_taken_out() -> None:
    long = "x" * (LONGEST - 20)
    told = without_secrets(None, "info", {"text": f"{long}://{'p' * 50}@host/", "list": [long, long], "short": long})
    assert told["text"] == f"{long}://***@host/"
    assert told["list"].endswith(f"x... ({2 * LONGEST - 40 + 8} characters)")
    assert len(told["list"]) < LONGEST + 50
    assert told["short"] is long
