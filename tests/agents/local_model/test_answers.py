"""Answers where the real model does not show the case."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.local_model.answers import as_message, as_response, final_line, whole_line
from agents.local_model.details import rfc3339
from agents.local_model.embedding import shorten
from agents.local_model.errors import EngineDiedError, WeightsError
from agents.local_model.generation import Finish, Part, engine_body, generate
from agents.local_model.models import Model
from agents.local_model.options import parse_options
from agents.local_model.pulling import pull
from agents.local_model.residents import Want
from agents.local_model.scheduler import Scheduler
from agents.local_model.weights import Progress
from agents.local_model.wire import parse_generate
from tests.agents.local_model.doubles import StubRunner

REQUEST = parse_generate(b'{"model": "m", "prompt": "Hi"}')
OPTIONS = parse_options({}, 512)
MODEL = Model("m:latest", "m:latest", embeds=False)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_795_360_128_000_000_001, "2026-11-22T15:08:48.000000001Z"),
    ],
)
def test_a_time_is_written_as_go_does(nanoseconds: int, text: str) -> None:
    assert rfc3339(nanoseconds) == text


def test_zero_fields_are_left_out() -> None:
    line = final_line("m", as_response, "stop", rest={"eval_count": 0, "context": [], "load_duration": 5})
    assert list(line) == ["model", "created_at", "response", "done", "done_reason", "load_duration"]


async def test_the_whole_answer_of_a_chat_has_its_text_and_no_context() -> None:
    async def parts() -> AsyncGenerator[Part | Finish, None]:
        yield Part("Hel")
        yield Part("lo")
        yield Finish("stop", [1, 2], {"eval_count": 2})

    line = await whole_line(REQUEST, as_message, parts())
    assert line["message"] == {"role": "assistant", "content": "Hello"}
    assert (line["eval_count"], "context" in line) == (2, False)


async def test_a_stream_that_ends_before_its_end_is_a_death_of_the_engine() -> None:
    async def start(_: Want) -> StubRunner:
        return StubRunner([{"content": "He", "tokens": [1], "stop": False}])

    async with Scheduler(start) as scheduler:
        answer = generate(scheduler, MODEL, REQUEST, OPTIONS)
        assert isinstance(await anext(answer), Part)
        with pytest.raises(EngineDiedError):
            await anext(answer)


async def test_closing_an_answer_gives_its_slot_back() -> None:
    async def start(_: Want) -> StubRunner:
        return StubRunner([{"content": "He", "tokens": [1], "stop": False}] * 3)

    async with Scheduler(start) as scheduler:
        answer = generate(scheduler, MODEL, REQUEST, OPTIONS)
        await anext(answer)
        await answer.aclose()
        async with asyncio.timeout(1), scheduler.lease(Want(MODEL.name, OPTIONS.num_ctx)):
            pass


def test_a_schema_is_sent_with_the_order_to_waste_no_blanks() -> None:
    body = engine_body([1], REQUEST, OPTIONS, {"type": "object"})
    assert body["json_schema"] == {"type": "object", "x-guidance": {"whitespace_flexible": False}}
    assert "json_schema" not in engine_body([1], REQUEST, OPTIONS, None)


@pytest.mark.parametrize(("top", "sent"), [(None, None), (0, 1), (3, 3)])
def test_log_probabilities_are_asked_for(top: int | None, sent: int | None) -> None:
    assert engine_body([1], replace(REQUEST, top_logprobs=top), OPTIONS, None).get("n_probs") == sent


@pytest.mark.parametrize(("dimensions", "vector"), [(0, [3, 4, 12]), (2, [0.6, 0.8]), (3, [3, 4, 12]), (9, [3, 4, 12])])
def test_a_vector_is_cut_and_is_again_of_length_one(dimensions: int, vector: list[float]) -> None:
    assert list(shorten([3, 4, 12], dimensions)) == pytest.approx(vector)


async def test_a_pull_tells_how_far_it_is_and_how_it_failed() -> None:
    async def fetch(_: Path, *, on_progress: Callable[[Progress], None]) -> Path:
        on_progress(Progress("downloading", 250, 200))
        raise WeightsError("no network")

    lines = pull(MODEL, Path("models"), fetch)
    assert await anext(lines) == {"status": "pulling manifest"}
    line = await anext(lines)
    assert (line["status"], line["completed"], line["total"]) == ("pulling b179c9523d0e", 200, 200)
    with pytest.raises(WeightsError, match="no network"):
        await anext(lines)


async def test_a_pull_that_is_broken_off_stops_the_download() -> None:
    stopped = asyncio.Event()

    async def fetch(_: Path, *, on_progress: Callable[[Progress], None]) -> Path:
        on_progress(Progress("downloading", 1, 200))
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    lines = pull(MODEL, Path("models"), fetch)
    await anext(lines)
    await anext(lines)
    await lines.aclose()
    assert stopped.is_set()
