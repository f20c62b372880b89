import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from bus.discretion import discreet, without_secrets


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("amqp://guest:secret@rabbit:5672/vh", "amqp://***@rabbit:5672/vh"),
        ("no answer at http://token@host (why)", "no answer at http://***@host (why)"),
        ("amqp://u:p@a,amqp://u:p@b", "amqp://***@b"),
        ("'http://u:p@a' and 'http://b'", "'http://***@a' and 'http://b'"),
        ("mail ada@example.org about http://host/path", "mail ada@example.org about http://host/path"),
    ],
)
def test_addresses_are_told_without_user_and_password(text: str, told: str) -> None:
    assert discreet(text) == told


@given(st.text("ab:/?#@%", min_size=1, max_size=10))
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


def test_only_texts_of_a_line_are_looked_at() -> None:
    line = {"event": "a.b", "url": "http://u:p@a", "count": 3, "error": None}
    assert without_secrets(None, "info", line) == {"event": "a.b", "url": "http://***@a", "count": 3, "error": None}
