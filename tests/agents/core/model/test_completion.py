import json
from pathlib import Path

import pytest

from agents.core.model.completion import Answer, read_line
from agents.core.model.errors import IncompleteStream, ModelServerError

RECORDED = json.loads((Path(__file__).parent / "ollama_transcripts.json").read_text())
ANSWERED = [
    item
    for item in RECORDED
    if item["status"] == 200 and item["request"].startswith(("POST /api/generate", "POST /api/chat"))
]


@pytest.mark.parametrize("item", ANSWERED, ids=lambda item: item["request"][:60])
def test_each_recorded_answer_becomes_a_completion(item: dict[str, str]) -> None:
    answer = Answer("smollm2:135m")
    for line in item["body"].splitlines():
        answer.add(json.loads(line))
    completion = answer.completion()
    last = json.loads(item["body"].splitlines()[-1])
    assert completion.done_reason == last["done_reason"]
    assert completion.usage.tokens_out == last.get("eval_count", 0)
    assert completion.usage.generation_time == pytest.approx(last.get("eval_duration", 0) / 1e9)
    assert bool(completion.text) is (last["done_reason"] in {"stop", "length"})


def test_the_streamed_and_the_whole_recorded_answer_read_alike() -> None:
    streamed, whole = ANSWERED[1], ANSWERED[2]
    assert streamed["content_type"] == "application/x-ndjson"
    texts = []
    for item in (streamed, whole):
        answer = Answer("m")
        for line in item["body"].splitlines():
            answer.add(json.loads(line))
        texts.append(answer.completion().text)
    assert texts == ["I'm glad to", "I'm glad to"]


def test_an_answer_says_who_gave_it() -> None:
    answer = Answer("m", "http://here")
    answer.add({"response": "all", "done": True})
    completion = answer.completion()
    assert (completion.model, completion.server) == ("m", "http://here")
    assert completion.message == {"role": "assistant", "content": "all"}


def test_an_unfinished_answer_says_how_far_it_came() -> None:
    answer = Answer("m")
    assert not answer.has_begun
    answer.add({"response": "half", "done": False})
    assert answer.has_begun
    assert not answer.is_done
    with pytest.raises(IncompleteStream, match="ended unfinished after 4 characters"):
        answer.completion()


def test_an_answer_that_never_began_is_unfinished_too() -> None:
    with pytest.raises(IncompleteStream, match="after 0 characters"):
        Answer("m").completion()


@pytest.mark.parametrize("line", [{"response": ["no", "text"]}, {"eval_count": 10**400}, {"eval_duration": 10**400}])
def test_a_line_of_another_shape_is_the_servers_fault(line: dict[str, object]) -> None:
    with pytest.raises(ModelServerError, match="unknown shape"):
        read_line(line)
