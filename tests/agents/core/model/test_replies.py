import json

import pytest

from agents.core.model.errors import (
    BadModelRequest,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelRefused,
    ModelServerError,
    ModelUnreachable,
    NotSupported,
)
from agents.core.model.replies import error_in_stream, error_of_reply


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ModelRefused),
        (401, ModelRefused),
        (403, ModelRefused),
        (407, ModelRefused),
        (408, ModelServerError),
        (413, BadModelRequest),
        (429, ModelOverloaded),
        (499, ModelServerError),
        (500, ModelServerError),
        (502, ModelUnreachable),
        (503, ModelUnreachable),
        (504, ModelUnreachable),
    ],
)
def test_statuses_that_were_not_recorded_are_known_too(status: int, kind: type[ModelError]) -> None:
    assert type(error_of_reply(status, b"<html>no JSON</html>")) is kind


def test_a_503_in_the_words_of_the_api_is_a_busy_server_and_no_proxy_without_one() -> None:
    assert type(error_of_reply(503, b'{"error": "server busy, please try again."}')) is ModelOverloaded


def test_a_missing_model_is_named() -> None:
    error = error_of_reply(404, b'{"error": "model \'nope\' not found"}', model="nope")
    assert isinstance(error, ModelNotFound)
    assert error.model == "nope"


def test_the_full_queue_of_ollama_is_overload_without_a_time() -> None:
    error = error_of_reply(503, b'{"error": "server busy, please try again.  maximum pending requests exceeded"}')
    assert isinstance(error, ModelOverloaded)
    assert error.retry_after is None


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)])
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float | None) -> None:
    error = error_of_reply(429, b"", retry_after=header)
    assert isinstance(error, ModelOverloaded)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("an error was encountered while running the model: unexpected EOF", ModelServerError),
        ('invalid format: "yaml"', BadModelRequest),
        ('"m" does not support thinking', NotSupported),
    ],
)
def test_an_error_line_means_what_a_500_of_its_text_means(text: str, kind: type[ModelError]) -> None:
    assert type(error_in_stream(text)) is kind


def test_a_model_that_does_not_fit_is_no_failure_of_the_server() -> None:
    text = "model requires more system memory (7.5 GiB) than is available (5.2 GiB)"
    for error in (error_of_reply(500, json.dumps({"error": text}).encode()), error_in_stream(text)):
        assert isinstance(error, ModelOverloaded)
        assert "free memory or name a smaller one" in str(error)


@pytest.mark.parametrize("body", [b'{"error": {"message": "deep"}}', b'{"error": "{\\"error\\": \\"deep\\"}"}'])
def test_an_error_of_a_runner_is_unwrapped(body: bytes) -> None:
    assert str(error_of_reply(500, body)).endswith(": deep")


def test_a_long_page_is_cut() -> None:
    assert len(str(error_of_reply(502, b"x" * 10_000))) < 400


def test_an_error_that_only_looks_like_json_is_shown_as_it_is() -> None:
    assert str(error_of_reply(400, b'{"error": "{not json"}')).endswith('{not json"}')


def test_an_error_that_is_nested_beyond_reason_is_shown_as_it_is() -> None:
    assert isinstance(error_of_reply(500, b'{"error":' * 100_000), ModelServerError)
