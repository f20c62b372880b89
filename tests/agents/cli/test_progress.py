import asyncio

import pytest

from agents.cli.answer_screen import ResultScreen
from agents.cli.followed import followed
from agents.cli.progress import ProgressLines, words_of
from bus.attempt import Attempt
from bus.errors import ReplyTimeout
from bus.pieces import Advance
from schemas import EventKind, TaskMessage, TaskResult
from tests.support.bus_world import AGENT, World, completed, memory_world


@pytest.mark.parametrize(
    ("advance", "words"),
    [
        (Advance(0.404, "page 3"), "40 %: page 3"),
        (Advance(1, None), "100 %"),
        (Advance(0.29, None), "29 %"),
        (Advance(None, "reading"), "reading"),
    ],
)
def test_progress_is_a_share_a_message_or_both(advance: Advance, words: str) -> None:
    assert words_of(advance) == words


def test_a_line_is_told_for_each_tenth_and_for_each_new_message() -> None:
    lines = ProgressLines()
    told = [lines.line(Advance(number / 1000, None)) for number in range(1001)]
    assert [line for line in told if line] == [f"{tenth * 10} %" for tenth in range(11)]
    assert [lines.line(Advance(1, text)) for text in ("saving", "saving", "saved")] == [
        "100 %: saving",
        None,
        "100 %: saved",
    ]


async def followed_task(world: World, timeout: float, screen: ResultScreen) -> TaskResult:
    return await followed(world.client, TaskMessage(id="t-1", agent=AGENT, prompt="x"), screen, timeout)


async def test_who_waits_sees_it_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    async def work(attempt: Attempt) -> TaskResult:
        for page in (1, 2, 2):
            attempt.emit(EventKind.PROGRESS, fraction=page / 4, message=f"page {page}")
        await seen.wait()
        return completed(attempt)

    class Screen(ResultScreen):
        def mark(self, sentence: str) -> None:
            super().mark(sentence)
            if sentence.endswith("page 2"):
                seen.set()

    seen = asyncio.Event()
    async with memory_world("progress") as world, world.consumer(work):
        await followed_task(world, 10, Screen())
    said = capsys.readouterr()
    assert said.out.endswith("x\n")
    assert said.err == "--- 25 %: page 1\n--- 50 %: page 2\n"


async def test_a_wait_that_is_over_repeats_it() -> None:
    async def work(attempt: Attempt) -> TaskResult:
        attempt.emit(EventKind.PROGRESS, fraction=0.5, message="page 2")
        await asyncio.Event().wait()
        return completed(attempt)

    async with memory_world("progress") as world, world.consumer(work):
        with pytest.raises(ReplyTimeout, match="last seen: worker works on it, 50 %: page 2"):
            await followed_task(world, 1.0, ResultScreen())
