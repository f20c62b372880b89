"""A pull through the client: its steps, and its ends."""

import pytest

from agents.core.model.errors import IncompleteStream, ModelNotFound
from agents.core.ollama_client import OllamaClient, PullProgress
from tests.support.scripted_ollama import ScriptedOllama


async def test_a_pull_tells_its_steps(client: OllamaClient, server: ScriptedOllama) -> None:
    server.pull_lines = [
        {"status": "pulling manifest"},
        {"status": "pulling 797b70c4edf8", "digest": "sha256:797b", "total": 100, "completed": 40},
        {"status": "success"},
    ]
    steps: list[PullProgress] = []
    await client.pull("m", steps.append)
    assert steps == [
        PullProgress("pulling manifest"),
        PullProgress("pulling 797b70c4edf8", 40, 100, "sha256:797b"),
        PullProgress("success"),
    ]


async def test_a_pull_that_fails_in_mid_stream_names_the_remedy(client: OllamaClient, server: ScriptedOllama) -> None:
    server.pull_lines = [{"status": "pulling manifest"}, {"error": "file does not exist"}]
    with pytest.raises(ModelNotFound, match="file does not exist; run `ollama pull m`"):
        await client.pull("m")


async def test_a_pull_that_ends_without_success_is_incomplete(client: OllamaClient, server: ScriptedOllama) -> None:
    server.pull_lines = [{"status": "pulling manifest"}]
    with pytest.raises(IncompleteStream, match="pulling manifest"):
        await client.pull("m")
