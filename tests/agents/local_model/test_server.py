"""The server from outside: every endpoint with the official client, over the real model."""

import asyncio
import json
import math
import signal
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from ollama import AsyncClient, GenerateResponse, ResponseError
from structlog.testing import capture_logs

from agents.local_model import ListenError, LocalModelServer, LocalModelSettings, SettingsError

MODEL = "smollm2:135m"
SHORT = {"num_predict": 4, "temperature": 0, "seed": 1}
ENDLESS: dict[str, object] = {
    "model": MODEL,
    "prompt": "Count.",
    "format": {"type": "array", "items": {"type": "integer"}, "minItems": 1000},
    "options": {"num_predict": 1900},
}
QUESTION = [{"role": "user", "content": "Is 'great' positive? Answer as JSON."}]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _read_lines(http: httpx.AsyncClient, body: dict[str, object], seen: asyncio.Event) -> None:
    async with http.stream("POST", "/api/generate", json=body) as reply:
        async for _ in reply.aiter_lines():
            seen.set()


async def _start(http: httpx.AsyncClient, body: dict[str, object] = ENDLESS) -> asyncio.Task[None]:
    """A client that reads a long answer; returns once the first piece is there."""
    seen = asyncio.Event()
    reading = asyncio.create_task(_read_lines(http, body, seen), name="test-reader")
    await asyncio.wait_for(seen.wait(), 20)
    return reading


async def _leave(*readers: asyncio.Task[None]) -> None:
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)


def _waited(reply: GenerateResponse) -> int:
    """Nanoseconds that no other duration accounts for: the wait for a slot."""
    work = (reply.load_duration, reply.prompt_eval_duration, reply.eval_duration)
    return (reply.total_duration or 0) - sum(duration or 0 for duration in work)


async def _loaded(ollama: AsyncClient) -> list[str]:
    return [str(model.model) for model in (await ollama.ps()).models]


async def test_a_prompt_is_answered_in_pieces_that_make_the_whole(ollama: AsyncClient) -> None:
    parts = [part async for part in await ollama.generate(MODEL, "Hi", options=SHORT, stream=True)]
    whole = await ollama.generate(MODEL, "Hi", options=SHORT)
    assert [part.done for part in parts] == [False] * 4 + [True]
    assert "".join(part.response or "" for part in parts) == whole.response
    assert (whole.done_reason, whole.eval_count, whole.prompt_eval_count) == ("length", 4, 10)


async def test_a_chat_is_answered_in_pieces_that_make_the_whole(ollama: AsyncClient) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    parts = [part async for part in await ollama.chat(MODEL, messages, options=SHORT, stream=True)]
    whole = await ollama.chat(MODEL, messages, options=SHORT)
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert parts[-1].done_reason == whole.done_reason == "length"


async def test_the_system_prompt_is_read(ollama: AsyncClient) -> None:
    reply = await ollama.generate(MODEL, "Hi", system="Be brief.", options=SHORT)
    assert (reply.prompt_eval_count or 0) > 10


async def test_an_earlier_exchange_comes_before_the_prompt(ollama: AsyncClient) -> None:
    first = await ollama.generate(MODEL, "Hi", options=SHORT)
    second = await ollama.generate(MODEL, "Hi", options=SHORT, context=first.context)
    assert second.prompt_eval_count == len(first.context or ()) + 10


async def test_a_stop_word_ends_the_answer(ollama: AsyncClient) -> None:
    reply = await ollama.generate(MODEL, "A, B,", raw=True, options={**SHORT, "num_predict": 60, "stop": [","]})
    assert "," not in (reply.response or "")
    assert reply.done_reason == "stop"


async def test_an_answer_keeps_to_the_schema_asked_for(ollama: AsyncClient) -> None:
    schema = {
        "type": "object",
        "properties": {"s": {"type": "string", "enum": ["pos", "neg"]}, "n": {"type": "integer", "maximum": 9}},
        "required": ["s", "n"],
        "additionalProperties": False,
    }
    reply = await ollama.chat(MODEL, QUESTION, format=schema, options={"num_predict": 64, "temperature": 0.3})
    answer = json.loads(reply.message.content or "")
    assert answer["s"] in ("pos", "neg")
    assert answer["n"] <= 9


async def test_an_answer_in_json_is_an_object_as_far_as_it_goes(ollama: AsyncClient) -> None:
    reply = await ollama.chat(MODEL, QUESTION, format="json", options={"num_predict": 64, "temperature": 0.3})
    text = reply.message.content or ""
    assert text.startswith("{")
    assert reply.done_reason == "length" or isinstance(json.loads(text), dict)


async def test_too_long_a_prompt_is_cut_unless_the_client_forbids_it(http: httpx.AsyncClient) -> None:
    body = {"model": MODEL, "prompt": "word " * 600, "stream": False, "options": {"num_predict": 1, "num_ctx": 256}}
    cut = (await http.post("/api/generate", json=body)).json()
    refused = await http.post("/api/generate", json={**body, "truncate": False})
    assert cut["prompt_eval_count"] == 4 + 126
    assert refused.status_code == 400
    assert "exceeds the available context size" in refused.json()["error"]


async def test_vectors_are_of_length_one_at_the_new_endpoint_and_not_at_the_old_one(ollama: AsyncClient) -> None:
    new = await ollama.embed("all-minilm", ["The cat sat on the mat", "A kitten is on the rug", "Markets fell"])
    old = await ollama.embeddings("all-minilm", "The cat sat on the mat")
    cat, kitten, markets = new.embeddings
    assert [math.hypot(*vector) for vector in new.embeddings] == pytest.approx([1, 1, 1], abs=1e-4)
    assert math.hypot(*old.embedding) > 2
    assert math.dist(cat, kitten) < math.dist(cat, markets)


async def test_a_long_input_is_cut_to_the_context_or_refused(ollama: AsyncClient) -> None:
    text, options = "word " * 300, {"num_ctx": 256}
    assert (await ollama.embed("all-minilm", text, options=options)).prompt_eval_count == 256
    with pytest.raises(ResponseError, match="exceeds the context length"):
        await ollama.embed("all-minilm", text, options=options, truncate=False)


async def test_a_model_says_what_it_is_not_for(ollama: AsyncClient) -> None:
    with pytest.raises(ResponseError, match='"all-minilm" does not support chat') as caught:
        await ollama.chat("all-minilm", [{"role": "user", "content": "Hi"}])
    assert caught.value.status_code == 400
    with pytest.raises(ResponseError, match="does not support insert"):
        await ollama.generate(MODEL, "Hi", suffix="there")
    with pytest.raises(ResponseError, match="does not support embeddings") as caught:
        await ollama.embeddings(MODEL, "Hi")
    assert caught.value.status_code == 501


async def test_a_pull_of_a_known_model_ends_in_success(ollama: AsyncClient) -> None:
    lines = [line.status async for line in await ollama.pull("tinyllama", stream=True)]
    assert lines[0] == "pulling manifest"
    assert lines[-1] == "success"
    assert (await ollama.pull("tinyllama")).status == "success"


async def test_models_are_listed_and_described_under_all_their_names(ollama: AsyncClient) -> None:
    names = {model.model for model in (await ollama.list()).models}
    assert {"smollm2:135m", "smollm2:latest", "tinyllama:latest", "all-minilm:latest", "second:latest"} <= names
    assert (await ollama.show("TinyLlama")).capabilities == ["completion"]
    assert (await ollama.show("all-minilm")).capabilities == ["embedding"]


async def test_a_second_name_of_the_same_file_is_another_model_to_load(ollama: AsyncClient) -> None:
    await ollama.generate(MODEL, "Hi", options=SHORT)
    assert await _loaded(ollama) == [MODEL]
    await ollama.generate("second", "Hi", options=SHORT)
    assert await _loaded(ollama) == ["second:latest"]


async def test_a_model_is_loaded_and_unloaded_on_request(ollama: AsyncClient) -> None:
    assert (await ollama.generate(MODEL, keep_alive=-1)).done_reason == "load"
    (model,) = (await ollama.ps()).models
    assert model.expires_at is not None
    assert model.expires_at.year > 2300
    assert (await ollama.chat(MODEL, keep_alive=0)).done_reason == "unload"
    assert await _loaded(ollama) == []


async def test_keep_alive_0_unloads_after_the_reply(ollama: AsyncClient) -> None:
    await ollama.generate(MODEL, "Hi", options=SHORT, keep_alive=0)
    assert await _loaded(ollama) == []


async def test_another_context_length_reloads_the_model(ollama: AsyncClient) -> None:
    await ollama.generate(MODEL, "Hi", options={**SHORT, "num_ctx": 256})
    assert [model.context_length for model in (await ollama.ps()).models] == [256]
    reply = await ollama.generate(MODEL, "Hi", options=SHORT)
    assert [model.context_length for model in (await ollama.ps()).models] == [2048]
    assert (reply.load_duration or 0) > 50_000_000


async def test_a_client_who_leaves_frees_the_slot_at_once(http: httpx.AsyncClient, ollama: AsyncClient) -> None:
    reader = await _start(http)
    await _leave(reader)
    reply = await ollama.generate(MODEL, "Hi", options={**SHORT, "num_predict": 1})
    assert _waited(reply) < 500_000_000


async def test_a_request_that_waits_for_a_slot_tells_no_longer_load(
    http: httpx.AsyncClient, ollama: AsyncClient
) -> None:
    reader = await _start(http, {**ENDLESS, "options": {"num_predict": 60}})
    reply = await ollama.generate(MODEL, "Hi", options=SHORT)
    assert (reply.load_duration or 0) < _waited(reply)
    await reader


async def test_a_client_who_leaves_while_its_prompt_is_read_frees_the_engine(
    http: httpx.AsyncClient, ollama: AsyncClient
) -> None:
    await ollama.generate(MODEL, keep_alive=300)
    prompt = " ".join(f"word{number}" for number in range(120))
    with suppress(httpx.ReadTimeout):
        await http.post("/api/generate", json={"model": MODEL, "prompt": prompt}, timeout=0.3)
    reply = await ollama.generate(MODEL, "Hi", options={**SHORT, "num_predict": 1})
    assert (reply.total_duration or 0) < 1_500_000_000


async def test_a_client_who_leaves_the_queue_is_never_served(http: httpx.AsyncClient, ollama: AsyncClient) -> None:
    reader = await _start(http)
    with suppress(httpx.ReadTimeout):
        await http.post("/api/generate", json={"model": "second"}, timeout=0.2)
    assert await _loaded(ollama) == [MODEL]
    assert not reader.done()
    assert (await ollama.generate(MODEL, keep_alive=300)).done_reason == "load"
    await _leave(reader)


async def test_one_request_more_than_the_queue_holds_is_told_that_the_server_is_busy(
    http: httpx.AsyncClient, ollama: AsyncClient
) -> None:
    reader = await _start(http)
    body = {"model": "second", "prompt": "Hi", "stream": False, "options": SHORT}
    asked = [asyncio.create_task(http.post("/api/generate", json=body), name="test-queued") for _ in range(3)]
    done, _ = await asyncio.wait(asked, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    (busy,) = (task.result() for task in done)
    await _leave(reader)
    statuses = sorted([(await task).status_code for task in asked])
    assert busy.json() == {"error": "server busy, please try again.  maximum pending requests exceeded"}
    assert statuses == [200, 200, 503]
    assert await _loaded(ollama) == ["second:latest"]


@pytest.mark.usefixtures("server")
async def test_one_model_serves_two_requests_at_once_where_it_has_two_slots() -> None:
    settings = LocalModelSettings(threads=1, num_parallel=2)
    async with LocalModelServer(settings=settings) as wide, httpx.AsyncClient(base_url=wide.url, timeout=30) as http:
        reader = await _start(http)
        body = {"model": MODEL, "prompt": "Hi", "stream": False, "options": SHORT}
        reply = await http.post("/api/generate", json=body)
        assert reply.json()["eval_count"] == 4
        assert not reader.done()
        await _leave(reader)


async def test_nothing_is_written_to_the_standard_streams(
    ollama: AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs():
        await ollama.generate(MODEL, keep_alive=0)
        await ollama.generate(MODEL, "Hi", options=SHORT)
        with suppress(ResponseError):
            await ollama.generate("nope", "Hi")
    assert capfd.readouterr() == ("", "")


async def test_signal_handlers_are_left_alone(ollama: AsyncClient) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    async with LocalModelServer():
        assert {number: signal.getsignal(number) for number in before} == before
    await ollama.generate(MODEL, keep_alive=300)
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.usefixtures("server")
async def test_leaving_cuts_open_streams_within_two_seconds() -> None:
    async with LocalModelServer(settings=LocalModelSettings(threads=1)) as other:
        http = httpx.AsyncClient(base_url=other.url, timeout=30)
        reader = await _start(http)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await reader
    await http.aclose()


async def test_without_weights_there_is_no_model(tmp_path: Path) -> None:
    settings = LocalModelSettings(model_dir=tmp_path)
    async with LocalModelServer(settings=settings) as empty, AsyncClient(host=empty.url) as client:
        assert (await client.list()).models == []
        with pytest.raises(ResponseError, match="model 'smollm2:135m' not found"):
            await client.generate(MODEL, "Hi")


async def test_a_taken_port_is_told_in_one_sentence(server: LocalModelServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ListenError, match=f"Cannot listen on 127.0.0.1:{port}.* Give another host or port"):
        async with LocalModelServer(port=port):
            pass


async def test_an_alias_to_nowhere_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"aliases\['x'\] is 'nope', which is no model here; give one of smollm2"):
        LocalModelServer(settings=LocalModelSettings(aliases={"x": "nope"}))


async def test_a_stand_in_is_announced() -> None:
    with capture_logs() as logs:
        async with LocalModelServer():
            pass
    stand_ins = {entry["model"]: entry["answered_by"] for entry in logs if entry["event"] == "local_model.stand_in"}
    assert stand_ins["tinyllama:latest"] == "smollm2:135m"


async def test_a_name_of_another_network_in_the_host_header_is_refused(http: httpx.AsyncClient) -> None:
    reply = await http.get("/api/version", headers={"host": "evil.example.org"})
    assert reply.status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_says_that_the_server_is_there(method: str, http: httpx.AsyncClient) -> None:
    reply = await http.request(method, "/")
    assert (reply.status_code, reply.text) == (200, "Ollama is running" if method == "GET" else "")


async def test_embedding_nothing_loads_the_model_and_an_empty_request_unloads_it(ollama: AsyncClient) -> None:
    assert (await ollama.embed("all-minilm", [])).embeddings == []
    assert "all-minilm:latest" in {model.model for model in (await ollama.ps()).models}
    await ollama.generate("all-minilm", keep_alive=0)
    assert "all-minilm:latest" not in {model.model for model in (await ollama.ps()).models}
    assert (await ollama.embeddings("all-minilm", "")).embedding == []
    assert "all-minilm:latest" in {model.model for model in (await ollama.ps()).models}
