"""Requests read from JSON."""

import json

import pytest

from agents.local_model.errors import ReplyError
from agents.local_model.wire import Message, TextRequest, parse_chat, parse_embed, parse_embeddings, parse_generate


def _generate(**fields: object) -> TextRequest:
    return parse_generate(json.dumps({"model": "m", **fields}).encode())


def test_a_prompt_is_a_chat_of_one_or_two_messages() -> None:
    assert _generate(prompt="Hi").messages == [Message("user", "Hi")]
    assert _generate(prompt="Hi", system="Be").messages == [Message("system", "Be"), Message("user", "Hi")]


def test_a_raw_prompt_goes_past_the_template() -> None:
    request = _generate(prompt="Hi", raw=True)
    assert (request.raw_prompt, request.messages, request.only_loads) == ("Hi", (), False)


@pytest.mark.parametrize("fields", [{}, {"prompt": ""}, {"prompt": "", "system": "Be"}, {"prompt": "", "raw": True}])
def test_an_empty_prompt_only_loads(fields: dict[str, object]) -> None:
    assert _generate(**fields).only_loads


def test_streaming_is_the_default() -> None:
    assert _generate().stream
    assert not _generate(stream=False).stream


@pytest.mark.parametrize(
    ("given", "schema"),
    [(None, None), ("", None), ("json", {"type": "object"}), ({"type": "array"}, {"type": "array"})],
)
def test_a_format_is_a_schema(given: object, schema: object) -> None:
    assert _generate(format=given).schema == schema


@pytest.mark.parametrize(("given", "shown"), [("yaml", r'"\"yaml\""'), (5, '"5"')])
def test_another_format_is_shown_in_the_error(given: object, shown: str) -> None:
    with pytest.raises(ReplyError) as caught:
        _ = _generate(format=given).schema
    assert caught.value.message == f'invalid format: {shown}; expected "json" or a valid JSON Schema object'
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("value", "thinks"), [(None, False), (False, False), (True, True), ("low", True), ("max", True)]
)
def test_thinking_is_a_flag_or_a_level(value: object, thinks: bool) -> None:
    assert _generate(think=value).thinks is thinks


@pytest.mark.parametrize(("value", "word"), [("much", "invalid think value"), (3, "think must be a boolean")])
def test_another_thinking_is_refused(value: object, word: str) -> None:
    with pytest.raises(ReplyError, match=word):
        _generate(think=value)


def test_log_probabilities_are_off_unless_asked_for() -> None:
    assert _generate(top_logprobs=3).top_logprobs is None
    assert _generate(logprobs=True).top_logprobs == 0
    assert _generate(logprobs=True, top_logprobs=3).top_logprobs == 3


def test_a_chat_keeps_roles_and_sees_images_and_tools() -> None:
    messages = [{"role": "system", "content": "Be"}, {"role": "user", "content": "Hi", "images": ["aGk="]}]
    request = parse_chat(json.dumps({"model": "m", "messages": messages, "tools": [{"type": "function"}]}).encode())
    assert request.messages == [Message("system", "Be"), Message("user", "Hi")]
    assert (request.has_images, request.has_tools) == (True, True)


@pytest.mark.parametrize(("value", "inputs"), [("a", ["a"]), (["a", "b"], ["a", "b"]), ("", []), ([], []), (None, [])])
def test_an_embedding_takes_one_text_or_many(value: object, inputs: list[str]) -> None:
    assert list(parse_embed(json.dumps({"model": "m", "input": value}).encode()).inputs) == inputs


@pytest.mark.parametrize("value", [[1], 5, {"a": 1}])
def test_an_embedding_of_something_else_is_refused(value: object) -> None:
    with pytest.raises(ReplyError, match="invalid input type"):
        parse_embed(json.dumps({"model": "m", "input": value}).encode())


def test_the_older_embedding_takes_one_prompt() -> None:
    request = parse_embeddings(b'{"model": "m", "prompt": "a", "keep_alive": "5m"}')
    assert (list(request.inputs), request.keep_alive) == (["a"], 300)
