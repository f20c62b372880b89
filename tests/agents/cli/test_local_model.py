import asyncio
import re
import signal

import httpx
import pytest

from agents.cli.local_model import PARALLEL_MOST
from agents.local_model import ListenError, LocalModelSettings, Progress
from agents.local_model.settings import MOST_PARALLEL
from tests.support.command_line import Cli
from tests.support.program import program, sutazai


async def test_the_local_model_serves_on_a_free_port_also_for_the_models_of_the_tiers_and_ends_on_ctrl_c() -> None:
    command = sutazai("local-model", "--port", "0", "--threads", "1", "--alias", "mine:1=smollm2:135m")
    async with program(*command, env={"OLLAMA_OPUS_MODEL": "my-opus:1"}) as running:
        await running.says("Ctrl-C ends")
        found = re.search(r"OLLAMA_URL=(http://127\.0\.0\.1:\d+)\.", running.out)
        assert found is not None
        async with httpx.AsyncClient() as client:
            tags = (await client.get(f"{found[1]}/api/tags")).json()
        assert {"mine:1", "qwen2.5-coder:7b", "my-opus:1"} <= {model["name"] for model in tags["models"]}
        running.send(signal.SIGINT)
        assert await running.ends() == 0
    assert "Traceback" not in running.err


@pytest.mark.parametrize("text", ["mine", "=smollm2", "mine="])
def test_an_alias_that_is_no_pair_is_refused_with_an_example(cli: Cli, text: str) -> None:
    ran = cli("local-model", "--alias", text)
    assert ran.code == 2
    assert f"--alias is '{text}': write NAME=MODEL" in " ".join(ran.err.replace("│", " ").split())


async def test_an_alias_that_points_nowhere_and_a_taken_port_are_told(cli: Cli) -> None:
    ran = await asyncio.to_thread(cli, "local-model", "--port", "0", "--alias", "mine=nothing")
    assert ran.code == 8
    assert "nothing" in ran.sentence
    async with await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        ran = await asyncio.to_thread(cli, "local-model", "--port", str(port))
    assert ran.code == 8
    assert f"error: Cannot listen on 127.0.0.1:{port}: Address already in use" in ran.sentence


@pytest.mark.parametrize(
    ("environment", "arguments", "slots"),
    [({}, [], 2), ({"OLLAMA_NUM_PARALLEL": "3"}, [], 3), ({"OLLAMA_NUM_PARALLEL": "3"}, ["--parallel", "1"], 1)],
)
def test_a_model_serves_as_many_at_once_as_hosts_send_or_as_is_asked_for(
    environment: dict[str, str], arguments: list[str], slots: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[int] = []

    async def ensure(on_progress: object) -> None:
        del on_progress

    def server(*, settings: LocalModelSettings, **_: object) -> None:
        chosen.append(settings.num_parallel)
        raise ListenError("no port for a test")

    monkeypatch.delenv("OLLAMA_NUM_PARALLEL", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("agents.local_model.ensure_weights", ensure)
    monkeypatch.setattr("agents.local_model.LocalModelServer", server)
    assert cli("local-model", *arguments).code == 8
    assert chosen == [slots]


def test_more_at_once_than_the_server_allows_is_wrong_usage(cli: Cli) -> None:
    ran = cli("local-model", "--port", "0", "--parallel", str(MOST_PARALLEL + 1))
    assert (ran.code, PARALLEL_MOST) == (2, MOST_PARALLEL)
    assert "'--parallel'" in ran.sentence


def test_fetching_the_weights_is_told_off_a_terminal_too_once_for_each_stage(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ensure(on_progress: object) -> None:
        assert callable(on_progress)
        for progress in (
            Progress("downloading", 10, 20),
            Progress("downloading", 20, 20),
            Progress("checking", 20, 20),
        ):
            on_progress(progress)

    monkeypatch.setattr("agents.local_model.ensure_weights", ensure)
    ran = cli("local-model", "--port", "0", "--alias", "mine=nothing")
    assert ran.code == 8
    told = [line for line in ran.err.splitlines() if "weights" in line]
    assert told == ["the small model's weights: downloading", "the small model's weights: checking"]
