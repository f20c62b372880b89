"""The engine's process: how it starts, how it ends, and what its death looks like."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import httpx
import psutil
import pytest

from agents.local_model import engine, ensure_weights
from agents.local_model.engine import EngineParams
from agents.local_model.errors import EngineDiedError, EngineError, ReplyError
from agents.local_model.runner import EngineRunner, refusal, start_engine
from tests.support.waiting import wait_until


async def _params(**changes: object) -> EngineParams:
    model = str(await ensure_weights())
    params = EngineParams(model=model, context=256, parallel=1, threads=1, embeds=False)
    return EngineParams(**{**params, **changes})  # type: ignore[typeddict-item] # changes name its keys


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


async def test_a_killed_engine_fails_the_request_and_everything_after_it() -> None:
    runner = await start_engine(await _params())
    try:
        async with aclosing(runner.complete({"prompt": "Hi", "n_predict": 200, "ignore_eos": True})) as events:
            await anext(events)
            os.kill(runner.pid, signal.SIGKILL)
            with pytest.raises(EngineDiedError, match="unexpected EOF"):
                async for _ in events:
                    pass
        with pytest.raises(EngineDiedError):
            await runner.tokenize("Hi")
    finally:
        await runner.close()
    assert not runner.alive


async def test_an_engine_serves_more_requests_at_once_than_a_small_batch_has_places() -> None:
    runner = await start_engine(await _params(context=32, parallel=17))
    try:
        async with aclosing(runner.complete({"prompt": "Hi", "n_predict": 2})) as events:
            assert [event["stop"] async for event in events][-1]
    finally:
        await runner.close()


async def test_a_closed_engine_leaves_no_process() -> None:
    runner = await start_engine(await _params())
    assert psutil.pid_exists(runner.pid)
    await runner.close()
    assert not psutil.pid_exists(runner.pid)


async def test_a_stopped_engine_is_killed() -> None:
    runner = await start_engine(await _params())
    os.kill(runner.pid, signal.SIGSTOP)
    await runner.close()
    assert not psutil.pid_exists(runner.pid)


async def test_a_missing_file_is_told_when_loading() -> None:
    with pytest.raises(EngineError, match=r"model nowhere\.gguf could not be loaded: Failed to init server"):
        await start_engine(await _params(model="nowhere.gguf"))


async def test_a_load_that_is_cancelled_leaves_no_process() -> None:
    params = await _params()
    before = _children()
    loading = asyncio.create_task(start_engine(params), name="test-load")
    await wait_until(lambda: _children() - before, what="the engine's process")
    born = _children() - before
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert not any(psutil.pid_exists(pid) for pid in born)


async def test_a_load_that_takes_too_long_is_given_up() -> None:
    before = _children()
    with pytest.raises(EngineError, match=r"loading .*gguf took more than 0\.01 s"):
        await start_engine(await _params(), load_seconds=0.01)
    assert _children() == before


async def test_an_engine_ends_with_its_standard_input_and_prints_one_line() -> None:
    params = await _params()
    command = [sys.executable, "-P", str(Path(engine.__file__)), json.dumps(params)]
    ended = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, timeout=30, check=False)
    assert json.loads(ended.stdout)["address"].startswith("http://127.0.0.1:")
    assert ended.stdout.count(b"\n") == 1
    assert ended.stderr == b""
    assert ended.returncode in (0, -signal.SIGALRM)


def test_a_refusal_keeps_its_status_and_wraps_the_body_unless_it_is_unsupported() -> None:
    body = json.dumps({"error": {"code": 501, "message": "no embeddings"}}).encode()
    assert (refusal(501, body).status, refusal(501, body).message) == (501, "no embeddings")
    assert refusal(400, body).message == body.decode()


async def test_what_the_engine_refuses_keeps_its_status() -> None:
    runner = await start_engine(await _params())
    try:
        with pytest.raises(ReplyError) as caught:
            await anext(runner.complete({"prompt": []}))
        assert caught.value.status == 400
        with pytest.raises(ReplyError, match="does not support embeddings"):
            await runner.embed([[1]], normalise=True)
    finally:
        await runner.close()


async def test_an_error_in_the_stream_is_raised_and_progress_is_not_shown() -> None:
    events = [{"prompt_progress": {}}, {"content": "a", "stop": False}, {"error": {"message": "no room"}}]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=text))
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE)
    runner = EngineRunner(process, httpx.AsyncClient(base_url="http://engine", transport=transport))
    try:
        stream = runner.complete({"prompt": "Hi"})
        assert (await anext(stream))["content"] == "a"
        with pytest.raises(ReplyError, match="no room"):
            await anext(stream)
    finally:
        await runner.close()


def _engines() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "engine.py" in " ".join(child.cmdline())]


@pytest.mark.usefixtures("server")
@pytest.mark.asyncio(loop_scope="session")
async def test_a_stream_whose_engine_is_killed_ends_in_an_error_line_and_the_next_request_loads_again(
    http: httpx.AsyncClient,
) -> None:
    endless = {"type": "array", "items": {"type": "integer"}, "minItems": 1000}
    body = {"model": "smollm2:135m", "prompt": "Hi", "format": endless, "options": {"num_predict": 1900}}
    async with http.stream("POST", "/api/generate", json=body) as reply:
        lines = reply.aiter_lines()
        await anext(lines)
        for process in _engines():
            process.kill()
        last = [line async for line in lines][-1]
    assert reply.status_code == 200
    assert json.loads(last) == {"error": "an error was encountered while running the model: unexpected EOF"}
    again = await http.post("/api/generate", json={**body, "stream": False, "options": {"num_predict": 2}})
    assert again.json()["eval_count"] == 2
