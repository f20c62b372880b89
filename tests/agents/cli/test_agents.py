import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from agents import BaseAgentV2
from agents.cli import agents as command
from agents.cli.agent_page import command_of
from agents.cli.agent_table import agent_table, searched
from agents.core.agent_files.sample_task import SampleTask
from agents.core.catalog import load_catalog
from schemas import TaskMessage
from tests.support.agent_files import agent_text, written
from tests.support.agent_world import agent_world
from tests.support.command_line import Cli
from tests.support.program import ended

AGENTS = load_catalog()
LIST_EXAMPLES = re.findall(r"^ +sutazai (agents list .*)$", command.list_agents.__doc__ or "", re.MULTILINE)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own agents, with a good file and a broken one."""
    folder = tmp_path / "own"
    folder.mkdir()
    written(folder, agent_text("Sorts [mail]", "category: office", "tier: opus"), "mail-sorter")
    written(folder, agent_text("Breaks", "tier: huge"), "broken")
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", str(folder))
    return folder


def test_a_list_for_a_program_has_tabs_between_whole_values(cli: Cli) -> None:
    ran = cli("agents", "list")
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert (ran.code, ran.err, len(rows)) == (0, "", 131)
    assert rows == sorted(rows, key=lambda row: (row[2], row[0]))
    agent = AGENTS["senior-engineer"]
    assert [agent.name, agent.tier.value, agent.category, agent.description] in rows


def test_a_list_is_narrowed_by_tier_category_and_words(cli: Cli) -> None:
    ran = cli("agents", "list", "--category", "security", "--category", "data", "--tier", "opus", "--json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert found == sorted(
        (
            {
                "name": agent.name,
                "tier": "opus",
                "category": agent.category,
                "description": agent.description,
                "file": str(agent.path),
            }
            for agent in AGENTS.values()
            if agent.tier == "opus" and agent.category in ("security", "data")
        ),
        key=lambda told: (str(told["category"]), str(told["name"])),
    )
    assert [line.split("\t")[0] for line in cli("agents", "list", "--search", "MODEL injection").out.splitlines()] == [
        "prompt-injection-guard"
    ]
    nothing = cli("agents", "list", "--search", "xyzzy")
    assert (nothing.code, nothing.out, nothing.sentence) == (0, "", "no agent fits")


def test_an_unknown_category_is_an_error_with_those_there_are(cli: Cli) -> None:
    ran = cli("agents", "list", "--category", "nosuch")
    assert (ran.code, ran.out) == (2, "")
    assert "no agent is of category 'nosuch': there are ai-ml (25), data (12)" in ran.sentence


def test_ones_own_agents_are_listed_and_a_broken_file_is_told_beside_them(cli: Cli, own: Path) -> None:
    ran = cli("agents", "list", "--category", "office")
    assert (ran.code, ran.out) == (0, "mail-sorter\topus\toffice\tSorts [mail]\n")
    assert ran.sentence == (
        f"warning: passed over: {own}/broken.md: tier 'huge' is not known: use one of opus, sonnet, default"
    )


def test_a_folder_of_the_settings_that_is_not_there_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTAZAI_AGENTS_PATH", "/nowhere")
    ran = cli("agents", "list")
    assert (ran.code, len(ran.out.splitlines())) == (0, 131)
    assert ran.sentence == "warning: passed over: /nowhere: no such folder: see SUTAZAI_AGENTS_PATH"
    assert cli("agents", "check").out.splitlines()[0] == "/nowhere: no such file"


def test_a_table_of_all_agents_fits_80_columns_with_whole_names() -> None:
    lines = [line.plain.rstrip() for line in agent_table(searched(AGENTS.values(), ""), 80)]
    assert max(map(len, lines)) <= 80
    assert lines[0] == "ai-ml (25)"
    assert {line.split()[0] for line in lines} >= AGENTS.keys()
    guard = next(line for line in lines if line.startswith("prompt-injection-guard"))
    assert guard.split()[1:4] == ["default", "Screens", "text"]
    assert len(guard) == 80
    assert guard.endswith("…")


@pytest.mark.parametrize(("width", "cells"), [(60, 20), (80, 40), (160, 100)])
def test_a_description_has_its_room_also_beside_long_names(width: int, cells: int) -> None:
    lines = [line.plain for line in agent_table(searched(AGENTS.values(), ""), width)]
    for agent in AGENTS.values():
        wanted = agent.summary[: cells - 1]
        assert any(line.rstrip().endswith(wanted) or wanted in line for line in lines), agent.name


@pytest.mark.parametrize("words", LIST_EXAMPLES)
def test_the_examples_of_the_list_find_something(cli: Cli, words: str) -> None:
    ran = cli(*shlex.split(words))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out


def test_several_broken_files_are_one_line_that_counts_them(cli: Cli, own: Path) -> None:
    written(own, agent_text("Breaks", "tier: tiny"), "broken-too")
    ran = cli("agents", "list", "--category", "office")
    assert ran.sentence == "warning: 2 agent files cannot be used: see `sutazai agents check`"


@pytest.mark.parametrize("text", ["./an_agent.py", "package.module:Agent"])
def test_what_is_python_cannot_be_shown_and_that_is_said(cli: Cli, text: str) -> None:
    ran = cli("agents", "show", text)
    assert (ran.code, ran.sentence) == (
        2,
        f"error: {text} is Python: only agents that are Markdown files can be shown",
    )


def test_a_page_tells_all_of_an_agent(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_DEFAULT_MODEL", "small:1b")
    monkeypatch.setenv("OLLAMA_DEFAULT_TOP_P", "0.5")
    ran = cli("agents", "show", "prompt-injection-guard")
    agent = AGENTS["prompt-injection-guard"]
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"prompt-injection-guard\n{agent.description}\n\n")
    for line in (
        "tier      default",
        "category  security",
        "model     small:1b (the tier's)",
        f"options   temperature {agent.options['temperature']}, num_predict 96, top_p 0.5",
        f"file      {agent.path}",
    ):
        assert line in ran.out.splitlines()
    assert f"System prompt\n{agent.system_prompt}\n" in ran.out
    commands = [shlex.split(line) for line in ran.out.splitlines() if line.startswith("  sutazai ")]
    start = ["sutazai", "submit", "prompt-injection-guard", "--wait"]
    assert commands == [[*start, sample.prompt] for sample in agent.examples]


def test_a_page_tells_what_a_file_sets_beside_the_usual(cli: Cli, own: Path) -> None:
    lines = (
        "model: mine",
        "max_attempts: 5",
        "retry: {base: 2}",
        "task_timeout: 90",
        "tools: [Bash]",
        "input_model: {type: array}",
        "output_model: {type: object, properties: {n: {type: integer}}}",
    )
    path = written(own, agent_text('"Counts.\\n\\nAnd \\x1b[2J more."', *lines), "counter")
    shown = cli("agents", "show", str(path)).out.splitlines()
    assert shown[:4] == ["counter", "Counts.", "", "And \\x1b[2J more."]
    for line in ("model     mine", "attempts  5", "retry     base 2.0", "timeout   90 s for an attempt"):
        assert line in shown
    assert shown[shown.index("Answers are JSON of this schema") + 1 :][:3] == [
        "type: object",
        "properties:",
        '  n: {"type": "integer"}',
    ]
    assert shown[shown.index("Tasks bring JSON of this schema") + 1] == "type: array"
    assert shown.index("System prompt") < shown.index("Tasks bring JSON of this schema")
    assert shown[-2:] == ["Notes", "tools is kept and not used: agents here have no tools"]


def test_a_page_as_json_has_everything(cli: Cli, own: Path) -> None:
    lines = ("examples: [Why?, {data: 1}]", "retry: {base: 2}", "author: me")
    path = written(own, agent_text("Works", *lines), "worker")
    told = json.loads(cli("agents", "show", str(path), "--json").out)
    assert (told["name"], told["model"], told["options"]["num_predict"]) == ("worker", "tinyllama", 1024)
    assert told["examples"] == [{"prompt": "Why?"}, {"data": 1}]
    assert told["notes"] == ["author is kept and not used"]
    assert (told["system_prompt"], told["output_model"], told["retry"]["base"]) == ("You work.", None, 2.0)


@pytest.mark.parametrize(
    ("sample", "typed"),
    [
        (SampleTask("Why?"), "sutazai submit a --wait 'Why?'"),
        (SampleTask("What's up"), 'sutazai submit a --wait "What\'s up"'),
        (SampleTask("It's $5"), r"sutazai submit a --wait 'It'\''s $5'"),
        (SampleTask("- one"), "sutazai submit a --wait -- '- one'"),
        (SampleTask(data={"ä": 1}), "sutazai submit a --wait --data '{\"ä\": 1}' ''"),
        (SampleTask("x", 0, "sum"), "sutazai submit a --wait --type sum --data 0 x"),
    ],
)
def test_a_sample_task_is_a_command_that_a_shell_reads_back(sample: SampleTask, typed: str) -> None:
    assert command_of("a", sample) == typed
    assert shlex.split(typed)[-1] == (sample.prompt or "")


async def test_a_sample_task_with_control_characters_reaches_the_shell_and_not_the_terminal() -> None:
    prompt = "a\x1b[31m\tit's\\ä\n$(id)\x9b"
    command = command_of("a", SampleTask(prompt))
    assert command.isprintable()
    code, said = await ended("bash", "-c", f'sutazai() {{ printf %s "${{@: -1}}"; }}; {command}')
    assert (code, said.out) == (0, prompt)


class Told(BaseAgentV2):
    """Answers with what it was asked."""

    async def process_task(self, task: TaskMessage) -> object:
        return {"prompt": task.prompt, "data": task.data, "type": task.type}


@pytest.mark.parametrize(
    "sample", [SampleTask('It\'s $5: "why"?\n- so'), SampleTask("- x", {"n": [1]}, "sum"), SampleTask(data=0)]
)
async def test_the_command_of_a_sample_task_submits_that_task(cli: Cli, vhost_url: str, sample: SampleTask) -> None:
    words = shlex.split(command_of("told", sample))[1:]
    async with agent_world(Told(), amqp_url=vhost_url):
        ran = await asyncio.to_thread(cli, words[0], "--amqp-url", vhost_url, "--timeout", "15", *words[1:])
    assert json.loads(ran.out) == {"prompt": sample.prompt or "", "data": sample.data, "type": sample.type or "default"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("scrum-mister", "no agent 'scrum-mister': did you mean scrum-master"),
        ("none.md", "none.md: no such file"),
        ("broken", "broken.md: tier 'huge' is not known"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_is_no_agent_cannot_be_shown(cli: Cli, name: str, told: str) -> None:
    ran = cli("agents", "show", name)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.sentence.rpartition("error: ")[2]


def test_on_a_terminal_the_list_is_a_table_and_prompts_are_wrapped_at_words(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Console(width=60, force_terminal=True, color_system=None, soft_wrap=True, highlight=False)
    monkeypatch.setattr(command, "out", screen)
    listed = cli("agents", "list", "--category", "security").out.splitlines()
    assert listed[0].rstrip() == "security (11)"
    shown = cli("agents", "show", "prompt-injection-guard").out.splitlines()
    start = shown.index("System prompt") + 1
    assert max(map(len, shown[start:])) <= 60
    assert " ".join(" ".join(shown[start:]).split()) == " ".join(AGENTS["prompt-injection-guard"].system_prompt.split())
    assert any(len(line) > 60 for line in shown[:start])
