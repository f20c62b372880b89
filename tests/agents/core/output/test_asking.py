from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agents.core.model.completion import Completion
from agents.core.model.errors import InvalidOutput
from agents.core.model.requests import ChatRequest, GenerateRequest, ModelRequest
from agents.core.model.task_scope import TaskScope, current_scope, task_scope
from agents.core.output.asking import REPAIRS, Wish, valid_answer
from agents.core.output.fault import Fault
from agents.core.output.output import output_of
from agents.core.output.repair import repaired
from bus.errors import PermanentError
from schemas import Usage


class Mood(BaseModel):
    mood: str
    score: int


MOOD = output_of(Mood)
GOOD = '{"mood": "glad", "score": 3}'
BAD = '{"mood": "glad", "score": "three"}'
PROMPT = GenerateRequest(model="m", prompt="How is it?", system="You judge.", options={"seed": 1})


class Scribe:
    """Answers with these texts in turn, the last one for ever, and notes what it was asked and who could hear it."""

    def __init__(self, *texts: str, done_reason: str = "stop") -> None:
        self.texts = list(texts)
        self.done_reason = done_reason
        self.asked: list[ModelRequest] = []
        self.heard: list[bool] = []

    async def __call__(self, request: ModelRequest) -> Completion:
        self.asked.append(request)
        scope = current_scope()
        self.heard.append(scope is not None and scope.on_chunk is not None)
        text = self.texts[min(len(self.asked), len(self.texts)) - 1]
        return Completion(text, "m:latest", self.done_reason, Usage(tokens_out=7))

    @property
    def prompts(self) -> list[str]:
        return [request.prompt for request in self.asked if isinstance(request, GenerateRequest)]


async def test_an_answer_that_fits_is_returned_at_once_and_was_asked_for_with_its_schema() -> None:
    scribe = Scribe(GOOD)
    answered = await valid_answer(scribe, PROMPT, Wish(MOOD))
    assert (answered.text, answered.value) == (GOOD, Mood(mood="glad", score=3))
    (asked,) = scribe.asked
    assert (asked.format, asked.options) == (Mood.model_json_schema(), {"seed": 1})


async def test_an_answer_that_does_not_fit_goes_back_with_what_is_wrong() -> None:
    scribe = Scribe(BAD, GOOD)
    answered = await valid_answer(scribe, PROMPT, Wish(MOOD))
    assert answered.value == Mood(mood="glad", score=3)
    first, second = scribe.prompts
    assert first == "How is it?"
    assert second.startswith(
        f"How is it?\n\nYour answer was:\n{BAD}\n\nThat answer is not valid:\n- score: Input should"
    )
    assert second.endswith("Answer again with the corrected JSON and nothing else.")
    assert scribe.asked[1].format == Mood.model_json_schema()


async def test_a_conversation_goes_on_with_the_answer_and_what_is_wrong() -> None:
    said = [{"role": "user", "content": "How is it?"}]
    scribe = Scribe("words", BAD, GOOD)
    await valid_answer(scribe, ChatRequest(messages=said), Wish(MOOD))
    conversations = [request.messages for request in scribe.asked if isinstance(request, ChatRequest)]
    assert [len(messages) for messages in conversations] == [1, 3, 3]
    assert conversations[2][:2] == [*said, {"role": "assistant", "content": BAD}]
    assert conversations[2][2]["role"] == "user"
    assert "- score: Input should be a valid integer" in conversations[2][2]["content"]


@pytest.mark.parametrize(("repairs", "told"), [(0, "0 repairs"), (1, "1 repair"), (2, "2 repairs"), (-1, "-1 repairs")])
async def test_the_last_repair_is_the_end(repairs: int, told: str) -> None:
    scribe = Scribe(BAD)
    with pytest.raises(InvalidOutput) as raised:
        await valid_answer(scribe, PROMPT, Wish(MOOD, repairs))
    assert len(scribe.asked) == 1 + max(repairs, 0)
    error = raised.value
    assert (error.code, error.path, isinstance(error, PermanentError)) == ("invalid_output", "score", True)
    assert f"the answer of 'm:latest' does not fit Mood after {told}: score: Input should be" in str(error)
    assert "not 'three'; describe its fields in the prompt, or take a larger model" in str(error)


async def test_an_answer_that_was_cut_is_not_mended_but_told_with_the_remedy() -> None:
    scribe = Scribe('{"mood": "gl', done_reason="length")
    with pytest.raises(InvalidOutput, match="was cut after 7 tokens, before its JSON was whole: raise max_tokens"):
        await valid_answer(scribe, PROMPT, Wish(MOOD))
    assert len(scribe.asked) == 1


async def test_an_answer_that_is_whole_just_before_the_cut_counts() -> None:
    answered = await valid_answer(Scribe(GOOD, done_reason="length"), PROMPT, Wish(MOOD))
    assert answered.value == Mood(mood="glad", score=3)


async def test_an_answer_that_is_whole_but_wrong_at_the_cut_is_mended() -> None:
    scribe = Scribe(BAD, GOOD, done_reason="length")
    await valid_answer(scribe, PROMPT, Wish(MOOD))
    assert len(scribe.asked) == 2


async def test_only_the_first_answer_is_heard_and_all_are_of_the_same_task() -> None:
    async def hear(_text: str) -> None:
        return

    scribe = Scribe("words", BAD, GOOD)
    with task_scope(TaskScope(priority=7, on_chunk=hear)) as scope:
        await valid_answer(scribe, PROMPT, Wish(MOOD))
        assert current_scope() is scope
    assert scribe.heard == [True, False, False]


texts = st.sampled_from([GOOD, BAD, "words", "{}", "[]", '{"mood": 1, "score": 1}', '{"mood": "', ""])


@given(st.lists(texts, min_size=1, max_size=6), st.integers(0, 4), st.sampled_from(["stop", "length"]))
async def test_whatever_a_model_says_the_answer_fits_or_the_task_fails_after_bounded_calls(
    answers: Sequence[str], repairs: int, done_reason: str
) -> None:
    scribe = Scribe(*answers, done_reason=done_reason)
    outcome: Any
    try:
        outcome = (await valid_answer(scribe, PROMPT, Wish(MOOD, repairs))).value
    except InvalidOutput as error:
        outcome = str(error)
    said = [*answers, *[answers[-1]] * 9][: repairs + 1]
    assert 1 <= len(scribe.asked) <= repairs + 1
    assert isinstance(outcome, Mood) == (said[len(scribe.asked) - 1] == GOOD)
    assert GOOD not in said[: len(scribe.asked) - 1]
    assert all(prompt.startswith(PROMPT.prompt) for prompt in scribe.prompts)
    assert all(prompt.count("Your answer was") == (number > 0) for number, prompt in enumerate(scribe.prompts))
    assert all(request.format == MOOD.schema for request in scribe.asked)


def test_a_repair_keeps_all_else_of_the_request() -> None:
    asked = repaired(PROMPT, BAD, [Fault("score", "no"), Fault("", "odd")])
    assert isinstance(asked, GenerateRequest)
    assert (asked.model, asked.system, asked.options) == (PROMPT.model, PROMPT.system, PROMPT.options)
    assert "\n- score: no\n- odd\n" in asked.prompt


def test_two_repairs_are_the_usual() -> None:
    assert REPAIRS == Wish(MOOD).repairs == 2
