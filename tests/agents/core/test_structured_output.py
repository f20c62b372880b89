"""Agents that declare what their answers look like, and ask for answers of a shape."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, Field

from agents import BaseAgentV2
from schemas import EventKind, TaskError, TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import DONE, ScriptedOllama, answer, streamed


class Mood(BaseModel):
    mood: str
    score: int = Field(ge=0, le=10)


GOOD = '{"mood": "glad", "score": 3}'
BAD = '{"mood": "glad", "score": 30}'
OBJECT = {"mood": "glad", "score": 3}
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}


class Judge(BaseAgentV2):
    """Declares, asks as it always did, and returns the text."""

    output_model = Mood

    async def process_task(self, task: TaskMessage) -> object:
        return await self.query_ollama(task["prompt"])


class Asker(BaseAgentV2):
    """Declares nothing, and asks as a test says."""

    asks: Any = None

    async def process_task(self, task: TaskMessage) -> object:
        return await self.query_ollama(task["prompt"], output_model=self.asks)


async def ended(agent: BaseAgentV2, *texts: str, **fields: Any) -> tuple[TaskResult, list[dict[str, Any]]]:
    ollama = ScriptedOllama()
    ollama.script += [answer(text) for text in texts]
    async with agent_world(agent, ollama=ollama) as world:
        result = await world.client.ask(agent.name, "How is it?", timeout=10, **fields)
    return result, ollama.asked("/api/generate")


async def test_an_agent_that_declares_a_class_answers_with_its_object() -> None:
    result, (asked,) = await ended(Judge(), GOOD)
    assert (result.status, result.result) == (TaskStatus.COMPLETED, OBJECT)
    assert asked["format"] == Mood.model_json_schema()


async def test_a_repair_ends_in_the_object_and_all_calls_are_in_the_usage() -> None:
    result, asked = await ended(Judge(), "words", BAD, GOOD)
    assert (result.result, len(asked)) == (OBJECT, 3)
    assert result.usage is not None
    assert (result.usage.model_calls, result.usage.tokens_out) == (3, 12)


async def test_what_cannot_be_mended_fails_for_good_with_the_path_and_all_calls_in_the_usage() -> None:
    result, asked = await ended(Judge(), BAD, BAD, BAD, GOOD)
    assert (result.status, result.attempt, result.result, len(asked)) == (TaskStatus.FAILED, 1, None, 3)
    assert isinstance(result.error, TaskError)
    assert (result.error.code, result.error.retryable) == ("invalid_output", False)
    assert "does not fit Mood after 2 repairs: score: Input should be less than or equal to 10" in result.error.message
    assert result.usage is not None
    assert result.usage.model_calls == 3
    assert result.usage.tokens_per_second == pytest.approx(4 / 1.5)
    assert (result.model, result.server) == ("tinyllama:latest", "http://scripted")


async def test_who_wants_further_attempts_names_the_code_in_the_retry_rules() -> None:
    result, asked = await ended(Judge(), BAD, BAD, BAD, GOOD, retry={"on": ["invalid_output"], "base": 0, "jitter": 0})
    assert (result.status, result.attempt, result.result, len(asked)) == (TaskStatus.COMPLETED, 2, OBJECT, 4)


async def test_an_agent_may_allow_no_repair() -> None:
    class Strict(Judge):
        output_repairs = 0

    result, asked = await ended(Strict(), BAD, GOOD)
    assert (result.status, len(asked)) == (TaskStatus.FAILED, 1)


async def test_an_answer_that_was_cut_says_so() -> None:
    ollama = ScriptedOllama()
    ollama.script.append(streamed({"response": '{"mood": "gl', "done": False}, {**DONE, "done_reason": "length"}))
    async with agent_world(Judge(), ollama=ollama) as world:
        result = await world.client.ask("judge", "How is it?", timeout=10)
    assert "was cut after 4 tokens, before its JSON was whole: raise max_tokens" in str(result.error)
    assert len(ollama.asked("/api/generate")) == 1


async def test_a_streamed_task_shows_its_first_answer_alone_and_ends_in_the_object() -> None:
    ollama = ScriptedOllama()
    ollama.script += [answer('{"mood"', ": 1}"), answer(GOOD)]
    async with (
        agent_world(Judge(), ollama=ollama) as world,
        world.client.events(agent="judge") as events,
        asyncio.timeout(10),
    ):
        result = await world.client.ask("judge", "How is it?", stream=True)
        await world.client.ask("judge", "And now?")
        told = [await anext(events) for _ in range(6)]
    chunks = [event.data["text"] for event in told if event.kind is EventKind.CHUNK]
    assert (chunks, result.result) == (['{"mood"', ": 1}"], OBJECT)


@pytest.mark.parametrize(
    ("asks", "texts", "expected"),
    [(Mood, [BAD, GOOD], OBJECT), (SCHEMA, ["{}", '{"score": 30}'], {"score": 30}), (str, ["words"], "words")],
    ids=["class", "schema", "str"],
)
async def test_a_call_may_ask_for_an_answer_of_a_shape(asks: object, texts: list[str], expected: object) -> None:
    agent = Asker()
    agent.asks = asks
    result, asked = await ended(agent, *texts)
    assert (result.result, len(asked)) == (expected, len(texts))


async def test_a_call_returns_an_instance_of_the_class_that_it_asks_for() -> None:
    class Drafting(BaseAgentV2):
        output_model = Mood

        async def process_task(self, task: TaskMessage) -> Mood:
            draft = await self.query_ollama(task["prompt"], output_model=str)
            listed = await self.query_ollama("List", format="json")
            mood = await self.query_ollama(f"{draft}{listed}", output_model=Mood)
            return mood.model_copy(update={"score": mood.score + 1})

    result, asked = await ended(Drafting(), "It is good.", "[]", GOOD)
    assert result.result == {"mood": "glad", "score": 4}
    assert [body.get("format") for body in asked] == [None, "json", Mood.model_json_schema()]
    assert asked[2]["prompt"] == "It is good.[]"


async def test_a_conversation_and_a_thread_are_held_to_it_too() -> None:
    class Talking(BaseAgentV2):
        output_model = Mood

        async def process_task(self, task: TaskMessage) -> object:
            said = [{"role": "user", "content": task["prompt"]}]
            mood = await self.query_ollama_chat(said, output_model=Mood)
            assert isinstance(mood, Mood)
            assert await self.query_ollama_chat(said) == GOOD
            return await asyncio.to_thread(self.query_ollama_sync, "And now?")

    ollama = ScriptedOllama()
    talk = [streamed({"message": {"content": text}, "done": False}, DONE) for text in (BAD, GOOD, GOOD)]
    ollama.script += [*talk, answer(BAD), answer(GOOD)]
    async with agent_world(Talking(), ollama=ollama) as world:
        result = await world.client.ask("talking", "How is it?", timeout=10)
    assert result.result == OBJECT
    chats, generated = ollama.asked("/api/chat"), ollama.asked("/api/generate")
    assert [len(body["messages"]) for body in chats] == [1, 3, 1]
    assert [body["format"] for body in (*chats, *generated)] == [Mood.model_json_schema()] * 5


async def test_what_a_handler_returns_itself_has_to_be_what_it_declares() -> None:
    class Careless(BaseAgentV2):
        output_model = Mood

        async def process_task(self, _task: TaskMessage) -> dict[str, object]:
            return {"mood": "glad"}

    result, _ = await ended(Careless())
    assert isinstance(result.error, TaskError)
    assert (result.error.code, result.result) == ("invalid_output", None)
    assert result.error.message.startswith(
        "process_task returned what does not fit Mood: score: Field required; return"
    )


async def test_format_and_output_model_together_are_refused() -> None:
    class Twice(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> Mood:
            return await self.query_ollama(task["prompt"], output_model=Mood, format="json")

    result, asked = await ended(Twice())
    assert "format='json' and output_model say twice what to answer: give one" in str(result.error)
    assert asked == []


@pytest.mark.parametrize(
    ("declared", "error", "told"),
    [
        (7, TypeError, r"Wrong\.output_model is 7: give a class"),
        ({"type": "text"}, ValueError, r"Wrong\.output_model is no valid JSON Schema at type"),
    ],
)
def test_a_class_that_declares_nonsense_is_refused_where_it_is_written(
    declared: object, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        type("Wrong", (BaseAgentV2,), {"output_model": declared})
