"""examples/chat.py: a conversation on standard input, its answers as they are written."""

import asyncio
import signal

import httpx

from tests.examples.stage import Stage, talking
from tests.support.scripted_ollama import DONE, Body, Json, lines, refusal

EXAMPLE = "chat.py"


def said(*texts: str) -> httpx.Response:
    """A finished answer of /api/chat."""
    return httpx.Response(200, stream=Body(lines(*map(piece, texts), DONE)))


def piece(text: str) -> Json:
    return {"message": {"role": "assistant", "content": text}, "done": False}


def conversations(stage: Stage) -> list[list[str]]:
    """What the model was shown with each request: the texts, in order."""
    return [[message["content"] for message in body["messages"]] for body in stage.ollama.asked("/api/chat")]


async def test_the_model_is_shown_what_was_said_and_the_end_of_the_input_ends_the_chat(stage: Stage) -> None:
    stage.ollama.script.extend([said("Hello", " Ann\x1b[2J."), said("Ann.")])
    async with talking(stage, EXAMPLE) as (running, stdin):
        stdin.write(b"I am Ann.\n\n")
        await running.says("Hello Ann[2J.\n> ")
        stdin.write(b"Who am I?\n")
        await running.says("Ann.\n> ")
        stdin.close()
        assert await running.ends() == 0
    assert running.err == ""
    assert conversations(stage) == [["I am Ann."], ["I am Ann.", "Hello Ann\x1b[2J.", "Who am I?"]]


async def test_ctrl_c_ends_the_answer_and_its_task_and_the_chat_goes_on_without_it(stage: Stage) -> None:
    endless = httpx.Response(200, stream=Body(lines(piece("so f")), asyncio.Event()))
    stage.ollama.script.extend([endless, said("Yes.")])
    async with talking(stage, EXAMPLE) as (running, stdin):
        stdin.write(b"Tell me all.\n")
        await running.says("so f")
        running.send(signal.SIGINT)
        await running.says("[cancelled: ")
        stdin.write(b"Briefly?\n")
        await running.says("Yes.\n> ")
        stdin.close()
        assert await running.ends() == 0
    assert conversations(stage) == [["Tell me all."], ["Briefly?"]]


async def test_ctrl_c_at_the_prompt_ends_the_chat_also_where_the_input_stays_open_and_silent(stage: Stage) -> None:
    async with talking(stage, EXAMPLE) as (running, _):
        await running.says("the chat.\n> ")
        running.send(signal.SIGINT)
        assert await asyncio.wait_for(running.ends(), 10) == 0
    assert running.err == ""


async def test_an_answer_that_begins_anew_is_marked(stage: Stage) -> None:
    broken = httpx.Response(200, stream=Body(lines(piece("wrong"))))
    stage.ollama.script.append(broken)
    async with talking(stage, EXAMPLE) as (running, stdin):
        stdin.write(b"Go on.\n")
        await running.says("wrong\n[the text above is void: the answer begins anew]\nok\n> ")
        stdin.close()
        assert await running.ends() == 0


async def test_an_answer_that_fails_is_told_and_the_chat_goes_on(stage: Stage) -> None:
    stage.ollama.script.extend([refusal(400, "no such thing"), said("Yes.")])
    async with talking(stage, EXAMPLE) as (running, stdin):
        stdin.write(b"One.\n")
        await running.says("[failed: ")
        stdin.write(b"Two.\n")
        await running.says("Yes.\n> ")
        stdin.close()
        assert await running.ends() == 0
    assert conversations(stage)[-1] == ["Two."]
