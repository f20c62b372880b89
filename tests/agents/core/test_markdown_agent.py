from pathlib import Path

import pytest

from agents.core.catalog import load_catalog, read_agent_file
from agents.core.markdown_agent import MarkdownAgent, prompt_of
from schemas import TaskMessage
from tests.support.agent_world import agent_world


@pytest.mark.parametrize(
    ("fields", "prompt"),
    [
        ({"prompt": "Why?"}, "Why?"),
        ({"data": {"ä": [1]}}, '{\n  "ä": [\n    1\n  ]\n}'),
        ({"prompt": "Why?", "data": "x"}, 'Why?\n\n"x"'),
        ({"prompt": "Why?", "data": 0}, "Why?\n\n0"),
        ({"prompt": "", "data": 1}, "\n\n1"),
    ],
)
def test_the_model_is_asked_the_prompt_and_the_data_below_it(fields: dict[str, object], prompt: str) -> None:
    assert prompt_of(TaskMessage(agent="a", **fields)) == prompt


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "translator.md"
    path.write_text("---\ndescription: Translates\ntier: opus\noptions: {top_k: 3}\n---\nYou translate.")
    return path


async def test_a_markdown_agent_answers_under_its_prompt_with_its_options(file: Path) -> None:
    agent = MarkdownAgent(read_agent_file(file), max_concurrent_tasks=1)
    async with agent_world(agent) as world:
        result = await world.client.ask("translator", "Hello", timeout=10)
    assert result.result == {"response": "ok"}
    (asked,) = world.ollama.asked("/api/generate")
    assert (asked["prompt"], asked["system"], asked["options"]["top_k"]) == ("Hello", "You translate.", 3)
    assert (agent.name, agent.description, agent.max_concurrent_tasks) == ("translator", "Translates", 1)


def test_the_tier_of_a_file_outside_the_catalogue_holds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_OPUS_MODEL", "big")
    agent = MarkdownAgent(read_agent_file(file))
    assert agent.model == "big"
    assert agent.models.choice.options == {"temperature": 0.8, "max_tokens": 4096, "top_p": 0.95, "top_k": 3}


def test_a_files_own_model_wins_over_its_tiers(file: Path) -> None:
    file.write_text("---\ndescription: Translates\ntier: opus\nmodel: mine\n---\nYou translate.")
    assert MarkdownAgent(read_agent_file(file)).model == "mine"


def test_an_agent_of_the_catalogue_has_the_options_of_its_file() -> None:
    agent = MarkdownAgent(load_catalog()["prompt-injection-guard"])
    assert agent.models.choice.for_call(None, None, {})[1]["num_predict"] == 96
