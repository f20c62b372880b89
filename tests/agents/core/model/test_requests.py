import json
import math
from typing import Any

import pytest

from agents.core.model.errors import BadModelRequest
from agents.core.model.requests import ChatRequest, GenerateRequest, chat_request, encode, generate_request


def test_what_was_not_given_is_not_sent() -> None:
    assert GenerateRequest(model="m", prompt="Hi").to_json() == {"stream": True, "model": "m", "prompt": "Hi"}
    request = ChatRequest(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert request.to_json() == {
        "stream": True,
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_an_empty_prompt_and_a_false_are_sent() -> None:
    body = GenerateRequest(model="m", prompt="", raw=False, think=False, options={"temperature": 0}).to_json()
    assert body == {
        "stream": True,
        "model": "m",
        "prompt": "",
        "raw": False,
        "think": False,
        "options": {"temperature": 0},
    }


def test_every_field_reaches_the_body() -> None:
    schema = {"type": "object"}
    body = GenerateRequest(
        model="m",
        prompt="p",
        system="s",
        suffix="x",
        template="t",
        raw=True,
        images=["aGk="],
        format=schema,
        think="low",
    ).to_json()
    assert body["images"] == ["aGk="]
    assert (body["system"], body["suffix"], body["template"], body["raw"]) == ("s", "x", "t", True)
    assert (body["format"], body["think"]) == (schema, "low")
    tool = {"type": "function", "function": {"name": "f"}}
    assert ChatRequest(model="m", messages=[], tools=[tool]).to_json()["tools"] == [tool]


def test_keyword_arguments_become_fields_and_options() -> None:
    given = {"format": "json", "top_p": 0.9, "seed": None}
    assert generate_request("Hi", None, "Be brief.", 0.7, 16, given) == GenerateRequest(
        prompt="Hi",
        system="Be brief.",
        format="json",
        options={"temperature": 0.7, "num_predict": 16, "top_p": 0.9},
    )
    tools = [{"type": "function"}]
    assert chat_request([], "m", 0.1, 16, {"tools": tools, "num_predict": 8}) == ChatRequest(
        model="m", messages=[], tools=tools, options={"temperature": 0.1, "num_predict": 8}
    )


@pytest.mark.parametrize(("name", "remedy"), [("keep_alive", "preload"), ("stream", "on_chunk")])
def test_what_no_request_may_send_is_refused_with_a_remedy(name: str, remedy: str) -> None:
    with pytest.raises(BadModelRequest, match=remedy):
        generate_request("Hi", None, None, 0.7, 16, {name: 1})


def test_a_body_is_sent_as_utf8() -> None:
    assert json.loads(encode({"prompt": "naïve 日本"}).decode()) == {"prompt": "naïve 日本"}
    assert "日本".encode() in encode({"prompt": "日本"})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, b"raw image", "half a pair: \ud800"], ids=["nan", "inf", "bytes", "surrogate"]
)
def test_what_json_has_no_form_for_is_the_requests_fault(value: Any) -> None:
    with pytest.raises(
        BadModelRequest, match=r"the request is no JSON .*: send text and numbers, and images as base64"
    ):
        encode({"prompt": value})
