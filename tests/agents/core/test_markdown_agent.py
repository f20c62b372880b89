import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agents.core.catalog import AgentFileError, load_catalog, read_agent_file
from agents.core.markdown_agent import MarkdownAgent, prompt_of
from schemas import TaskMessage
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import ScriptedOllama, answer


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


@pytest.fixture
def typed(file: Path) -> MarkdownAgent:
    schema = "{type: object, required: [text], properties: {text: {type: string}}}"
    file.write_text(f"---\ndescription: Translates\ninput_model: {schema}\n---\nYou translate.")
    return MarkdownAgent(read_agent_file(file))


async def test_a_file_says_what_its_tasks_bring(typed: MarkdownAgent) -> None:
    async with agent_world(typed) as world:
        good = await world.client.ask("translator", data={"text": "Hello"}, timeout=10)
        bad = await world.client.ask("translator", data={"txt": "Hello"}, timeout=10)
    assert (good.status, bad.status) == ("completed", "rejected")
    assert "the task's data does not fit its input_model: 'text' is a required property" in str(bad.error)


def test_a_file_with_a_bad_input_model_is_refused(file: Path) -> None:
    file.write_text("---\ndescription: Translates\ninput_model: {type: nonsense}\n---\nYou translate.")
    with pytest.raises(AgentFileError, match="input_model is no valid JSON Schema at type"):
        read_agent_file(file)


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


def test_the_bound_of_a_file_wins_over_that_of_its_tier(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_OPUS_MAX_TOKENS", "50")
    monkeypatch.setenv("OLLAMA_OPUS_TEMPERATURE", "0")
    options = MarkdownAgent(read_agent_file(file)).models.choice.for_call(None, None, {})[1]
    assert (options["num_predict"], options["temperature"]) == (50, 0)
    for key in ("num_predict", "max_tokens"):
        file.write_text(f"---\ndescription: Translates\ntier: opus\noptions: {{{key}: 96}}\n---\nYou translate.")
        options = MarkdownAgent(read_agent_file(file)).models.choice.for_call(None, None, {})[1]
        assert options["num_predict"] == 96


def test_an_agents_one_line_is_the_first_of_its_description(file: Path) -> None:
    file.write_text('---\ndescription: "Translates.\\n\\nMore of it."\n---\nYou translate.')
    assert MarkdownAgent(read_agent_file(file)).description == "Translates."


RATING = {"type": "object", "properties": {"stars": {"type": "integer", "maximum": 5}}, "required": ["stars"]}


@pytest.fixture
def rater(tmp_path: Path) -> MarkdownAgent:
    (tmp_path / "rating.json").write_text(json.dumps(RATING))
    path = tmp_path / "rater.md"
    path.write_text("---\ndescription: Rates\noutput_model: rating.json\noutput_repairs: 1\n---\nYou rate.")
    return MarkdownAgent(read_agent_file(path))


@pytest.fixture
def misspelt(file: Path) -> MarkdownAgent:
    file.write_text("---\ndescription: Translates\nauthor: me\nmax_attempt: 5\n---\nYou translate.")
    return MarkdownAgent(read_agent_file(file))


async def test_a_file_with_an_output_model_answers_with_the_object(rater: MarkdownAgent) -> None:
    ollama = ScriptedOllama()
    ollama.script += [answer('{"stars": 9}'), answer('{"stars"', ": 4}"), answer("words"), answer("words")]
    async with agent_world(rater, ollama=ollama) as world:
        mended = await world.client.ask("rater", "Fine!", timeout=10)
        failed = await world.client.ask("rater", "Fine!", timeout=10)
    assert (mended.status, mended.result) == ("completed", {"stars": 4})
    assert failed.status == "failed"
    assert "does not fit its output_model after 1 repair: Invalid JSON" in str(failed.error)
    asked = ollama.asked("/api/generate")
    assert [body["format"] for body in asked] == [RATING] * 4
    assert "- stars: 9 is greater than the maximum of 5" in asked[1]["prompt"]
    assert {body["system"] for body in asked} == {"You rate."}


async def test_a_key_that_looks_misspelt_is_told_when_the_agent_starts(misspelt: MarkdownAgent) -> None:
    with capture_logs() as logs:
        async with agent_world(misspelt):
            pass
    told = [line for line in logs if line["event"] == "agent_file.unknown_key"]
    assert told == [
        {
            "event": "agent_file.unknown_key",
            "log_level": "warning",
            "file": str(misspelt.file.path),
            "key": "max_attempt",
            "meant": "max_attempts",
        }
    ]


@pytest.fixture
def foreigner(file: Path) -> MarkdownAgent:
    file.write_text("---\ndescription: Translates\ntools: Read, Bash\ncolor: red\n---\nYou translate.")
    return MarkdownAgent(read_agent_file(file))


@pytest.mark.usefixtures("every_level")
async def test_tools_of_a_file_for_another_program_are_told_when_the_agent_starts(foreigner: MarkdownAgent) -> None:
    with capture_logs() as logs:
        async with agent_world(foreigner):
            pass
    told = [line for line in logs if line["event"].startswith("agent_file.")]
    assert told == [
        {
            "event": "agent_file.tools_unused",
            "log_level": "info",
            "file": str(foreigner.file.path),
            "tools": "Read, Bash",
        }
    ]
