"""Faults at the model server, one at a time, that the doctor must name."""

import asyncio
from pathlib import Path

from agents.doctor.finding import Level
from tests.support.agent_files import agent_text, written
from tests.support.clinic import AGENT, Clinic
from tests.support.scripted_ollama import refusal

ONLY_MODELS = ("--skip", "topology", "--skip", "consumers")


async def test_a_model_that_is_not_installed_is_named_with_the_command_that_fetches_it(clinic: Clinic) -> None:
    await clinic.consume()
    clinic.ollama.installed.clear()
    clinic.ollama.loaded.clear()
    found = await clinic.only_finding(AGENT)
    assert (found.check, found.level) == ("models", Level.BROKEN)
    assert found.what.endswith("does not have tinyllama")
    assert found.remedy.startswith("`ollama pull tinyllama`")


async def test_a_wedged_server_is_told_by_the_token_that_does_not_come(clinic: Clinic) -> None:
    await clinic.consume()
    clinic.ollama.gate = asyncio.Event()
    found = await clinic.only_finding("--wait", "0.2")
    assert (found.check, found.level) == ("generation", Level.BROKEN)
    assert found.what.endswith("gives no token of tinyllama:latest: nothing came within 0.2 s")
    assert "restart it" in found.remedy
    assert await clinic.findings("--skip", "generation") == []


async def test_a_server_that_answers_with_an_error_is_told_with_it(clinic: Clinic) -> None:
    await clinic.consume()
    clinic.ollama.script.append(refusal(500, "llama runner process has terminated"))
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("generation", Level.BROKEN)
    assert "llama runner process has terminated" in found.what


async def test_the_token_is_asked_of_the_loaded_model_with_the_context_that_it_has(clinic: Clinic) -> None:
    await clinic.consume()
    clinic.ollama.installed.append("other:1b")
    clinic.ollama.loaded = [{"name": "other:1b", "context_length": 4096}]
    assert await clinic.findings(AGENT) == []
    (asked,) = clinic.ollama.asked("/api/generate")
    assert asked["model"] == "other:1b"
    assert asked["options"] == {"num_predict": 1, "num_ctx": 4096}


async def test_contexts_that_change_from_agent_to_agent_are_named(clinic: Clinic, tmp_path: Path) -> None:
    small = written(tmp_path, agent_text("Works", "options: {num_ctx: 2048}"), "small")
    large = written(tmp_path, agent_text("Works", "options: {num_ctx: 4096}"), "large")
    found = await clinic.only_finding(str(small), str(large), *ONLY_MODELS)
    assert (found.check, found.level) == ("num-ctx", Level.WARNING)
    assert found.what.endswith("tinyllama:latest (2048 by small, 4096 by large)")
    assert "num_ctx" in found.remedy


async def test_a_model_loaded_with_another_context_than_agents_ask_for_is_named(clinic: Clinic, tmp_path: Path) -> None:
    clinic.ollama.loaded = [{"name": "tinyllama:latest", "context_length": 4096}]
    agent = written(tmp_path, agent_text("Works", "options: {num_ctx: 2048}"), "small")
    found = await clinic.only_finding(str(agent), *ONLY_MODELS)
    assert (found.check, found.level) == ("num-ctx", Level.WARNING)
    assert "tinyllama:latest with 4096" in found.what


async def test_a_server_that_is_gone_is_broken(clinic: Clinic) -> None:
    await clinic.consume()
    clinic.ollama_url = "http://127.0.0.1:9"
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("model-server", Level.BROKEN)
    assert "start Ollama there" in found.remedy


async def test_a_model_larger_than_the_memory_is_broken(clinic: Clinic) -> None:
    await clinic.consume()
    clinic.ollama.sizes["tinyllama:latest"] = 10**15
    clinic.ollama_url = clinic.ollama_url.replace("127.0.0.1", "localhost")
    found = await clinic.only_finding()
    assert (found.check, found.level) == ("memory", Level.BROKEN)
    assert "smaller model" in found.remedy
