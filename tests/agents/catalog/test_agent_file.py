import json
import os
from pathlib import Path

import pytest

from agents.core.agent_files.reading import agent_in
from agents.core.agent_files.sample_task import SampleTask
from agents.core.catalog import AgentFileError, read_agent_file
from agents.core.tiers import Tier
from schemas import RetryRules
from tests.support.agent_files import agent_text, written


def test_a_file_needs_a_description_and_a_prompt_and_the_rest_has_defaults(tmp_path: Path) -> None:
    agent = read_agent_file(written(tmp_path, "---\ndescription: Works\n---\nYou work.\n"))
    assert (agent.name, agent.description, agent.system_prompt) == ("an-agent", "Works", "You work.")
    assert (agent.tier, agent.category, agent.model, agent.options) == (Tier.DEFAULT, "general", None, {})


def test_a_file_may_choose_tier_model_and_options_and_keeps_what_is_unknown(tmp_path: Path) -> None:
    head = "name: other\ndescription: Works\ntier: opus\ncategory: c\nmodel: m\noptions: {top_k: 3}\nauthor: me"
    agent = read_agent_file(written(tmp_path, f"---\n{head}\n---\nYou work."))
    assert (agent.name, agent.tier, agent.category, agent.model) == ("other", Tier.OPUS, "c", "m")
    assert agent.options == {"top_k": 3}
    assert agent.extra == {"author": "me"}


def test_a_file_may_say_how_its_agent_is_tried_again_and_how_long_it_may_take(tmp_path: Path) -> None:
    head = "description: Works\nmax_attempts: 5\nretry: {base: 2, on: [timeout, busy]}\ntask_timeout: 90"
    agent = read_agent_file(written(tmp_path, f"---\n{head}\n---\nYou work."))
    assert (agent.max_attempts, agent.task_timeout) == (5, 90.0)
    assert agent.retry == RetryRules(base=2, on=("timeout", "busy"))
    assert not agent.extra


def test_a_file_may_say_what_its_answers_look_like(tmp_path: Path) -> None:
    inline = "description: Works\noutput_model: {type: object, properties: {n: {type: integer}}}\noutput_repairs: 0"
    agent = read_agent_file(written(tmp_path, f"---\n{inline}\n---\nYou work."))
    assert agent.output_model == {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert agent.output_repairs == 0
    (tmp_path / "n.json").write_text('{"type": "integer"}')
    beside = read_agent_file(written(tmp_path, "---\ndescription: Works\noutput_model: n.json\n---\nYou work."))
    assert (beside.output_model, beside.output_repairs) == ({"type": "integer"}, None)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("max_attempt", "max_attempts"),
        ("timeout", "task_timeout"),
        ("Output-Model", "output_model"),
        ("temperature", "options.temperature"),
        ("max_tokens", "options.max_tokens"),
    ],
)
def test_a_key_that_looks_misspelt_is_kept_and_told_with_the_one_that_is_meant(
    tmp_path: Path, key: str, meant: str
) -> None:
    agent = read_agent_file(written(tmp_path, f"---\ndescription: Works\nauthor: me\n{key}: 1\n---\nYou work."))
    assert agent.extra == {"author": "me", key: 1}
    assert agent.misspelt == {key: meant}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("---\ntier: opus\n---\nWork", "description is missing: give it one line of text"),
        ("---\ndescription: ' '\n---\nWork", "description is ' ': give it one line of text"),
        ("---\ndescription: [a]\n---\nWork", r"description is \['a'\]: give it one line of text"),
        ("---\ndescription: d\ntier: huge\n---\nWork", "tier 'huge' is not known: use one of opus, sonnet, default"),
        (
            "---\ndescription: d\nname: My Agent\n---\nWork",
            "name 'My Agent' is not usable: lower-case letters, digits and hyphens only, [^:]*: my-agent would do$",
        ),
        (
            f"---\ndescription: d\nname: {'a' * 101}\n---\nWork",
            "name 'a+' is not usable: .* at most 100: a{100} would do$",
        ),
        ("---\ndescription: d\nname: ä\n---\nWork", "name 'ä' is not usable: [^:]* at most 100$"),
        ("---\ndescription: d\n---\n \n", "there is no system prompt: write it below the front matter"),
        ("---\ndescription: d\nmodel: 7\n---\nWork", "model is 7: give it one line of text"),
        ("---\ndescription: d\noptions: [1]\n---\nWork", r"options is \[1\]: give a mapping such as \{temperature"),
        (
            "---\ndescription: d\nmax_attempts: 0\n---\nWork",
            "max_attempts is 0: Input should be greater than or equal to 1",
        ),
        ("---\ndescription: d\nmax_attempts: 3.5\n---\nWork", r"max_attempts is 3\.5: Input should be a valid integer"),
        ("---\ndescription: d\ntask_timeout: 0\n---\nWork", "task_timeout is 0: Input should be greater than 0"),
        ("---\ndescription: d\ntask_timeout: .inf\n---\nWork", "task_timeout is inf: Input should be a finite number"),
        (
            "---\ndescription: d\ntask_timeout: long\n---\nWork",
            "task_timeout is 'long': Input should be a valid number",
        ),
        (
            "---\ndescription: d\nretry: never\n---\nWork",
            "retry is 'never': give a mapping with some of base, cap, factor, jitter, on",
        ),
        (
            "---\ndescription: d\nretry: {bases: 1}\n---\nWork",
            r"retry is \{'bases': 1\}: give a mapping with some of base, cap, factor, jitter, on",
        ),
        (
            "---\ndescription: d\nretry: {base: -1}\n---\nWork",
            r"retry\.base is -1: Input should be greater than or equal to 0",
        ),
        (
            "---\ndescription: d\nretry: {on: timeout}\n---\nWork",
            r"retry\.on is 'timeout': Input should be a valid tuple",
        ),
        (
            "---\ndescription: d\nretry: {on: ['']}\n---\nWork",
            r"retry\.on\.0 is '': String should have at least 1 character",
        ),
        (
            "---\ndescription: d\noutput_model: text\n---\nWork",
            r"output_model is '.*text', which cannot be read: No such",
        ),
        (
            "---\ndescription: d\noutput_model: {type: text}\n---\nWork",
            "output_model is no valid JSON Schema at type: '",
        ),
        ("---\ndescription: d\noutput_repairs: 11\n---\nWork", "output_repairs is 11: Input should be less than or"),
        (
            "---\ndescription: d\noptions: {temperature: hot}\n---\nWork",
            "options.temperature is 'hot': Input should be a",
        ),
        (
            "---\ndescription: d\noptions: {num_predict: 1.5}\n---\nWork",
            r"options\.num_predict is 1\.5: Input should be",
        ),
        ("---\ndescription: d\noptions: {top_p: 2}\n---\nWork", r"options\.top_p is 2: Input should be less than or"),
        ("---\ndescription: d\nname: no\n---\nWork", "name is False: put it in quotes$"),
        ("---\ndescription: d\nname: 007\n---\nWork", "name is 7: put it in quotes$"),
        ("---\ndescription: d\ncategory: no\n---\nWork", "category is False: give it one line of text$"),
        ("---\ndescription: d\ncategory: ''\n---\nWork", "category is '': give it one line of text$"),
        ("---\ndescription: d\nmax_attempts: yes\n---\nWork", "max_attempts is True: Input should be a valid integer"),
        ("---\ndescription: d\ntask_timeout: yes\n---\nWork", "task_timeout is True: Input should be a valid number"),
        (
            "---\ndescription: d\noptions: {day: 2026-01-01}\n---\nWork",
            r"options has 'day': datetime\.date\(.*\), which is no JSON: put names and dates in quotes$",
        ),
        ("---\ndescription: d\noptions: {on: 1}\n---\nWork", "options has True: 1, which is no JSON: put names"),
        ("---\ndescription: d\noptions: &o {a: *o}\n---\nWork", r"options has 'a': \{.*\}, which is no JSON"),
        (
            "---\ndescription: d\noutput_model: &o {properties: {a: *o}}\n---\nWork",
            "output_model holds itself: an alias there stands for what is around it$",
        ),
        ("---\ndescription: d\nexamples: Why?\n---\nWork", r"examples is 'Why\?': give a list of prompts, such as"),
        (
            "---\ndescription: d\nexamples: [1]\n---\nWork",
            r"examples\[0\] is 1: give a prompt in quotes, or a mapping with prompt, data or type$",
        ),
        (
            "---\ndescription: d\nexamples: [a, {prompt: b, colour: c}]\n---\nWork",
            r"examples\[1\] is \{.*\}: give a prompt in quotes, or a mapping",
        ),
        ("---\ndescription: d\nexamples: [' ']\n---\nWork", r'examples\[0\]: a task needs a "prompt" \(text\) or'),
        (
            "---\ndescription: d\nexamples: [{prompt: [a]}]\n---\nWork",
            r"examples\[0\]: prompt = \['a'\]: Input should be",
        ),
        (
            "---\ndescription: d\nexamples: [{data: {day: 2026-01-01}}]\n---\nWork",
            r"examples\[0\] cannot be written as JSON \(.*date.*\): put dates in quotes",
        ),
        (
            "---\na: b: c\n---\nWork",
            "line 2 of the file: a colon within a text: put the text in quotes: 'a: b: c'$",
        ),
        ("---\n- a\n---\nWork", "description is missing"),
        (
            "You work.",
            "it has no front matter: begin it with three lines, `---`, `description: What it does` and `---`$",
        ),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence_that_names_it(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(AgentFileError, match=rf"an-agent\.md: {told}"):
        read_agent_file(written(tmp_path, text))


def test_a_file_that_is_missing_or_no_text_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError, match=r"none\.md: no such file$"):
        read_agent_file(tmp_path / "none.md")
    with pytest.raises(AgentFileError, match=r": cannot be read: Is a directory$"):
        read_agent_file(tmp_path)
    (tmp_path / "b.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(AgentFileError, match=r"b\.md: cannot be read as Markdown"):
        read_agent_file(tmp_path / "b.md")


def test_a_file_that_is_much_too_large_for_an_agent_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.md"
    with large.open("wb") as file:
        file.truncate(1_000_001)
    with pytest.raises(AgentFileError, match="has 1,000,001 bytes, and an agent's file may have 1,000,000"):
        read_agent_file(large)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "an-agent.md")
    with pytest.raises(AgentFileError, match=r"an-agent\.md: is a pipe"):
        read_agent_file(tmp_path / "an-agent.md")


def test_keys_that_yaml_takes_for_something_else_and_those_of_the_reader_itself_are_kept(tmp_path: Path) -> None:
    agent = read_agent_file(written(tmp_path, agent_text("Works", "on: push", "2: a", "content: b", "handler: c")))
    assert agent.extra == {True: "push", 2: "a"} | {"content": "b", "handler": "c"}
    assert len(list(agent.notes())) == len(agent.extra)


@pytest.mark.parametrize("text", ["{{ title }}\n\nNo agent.\n", "{\nno json\n}\n", "+++\na = 1\n+++\nNo agent.\n"])
def test_front_matter_of_another_kind_is_none(tmp_path: Path, text: str) -> None:
    assert agent_in(written(tmp_path, text)) is None


def test_tools_of_another_program_are_kept_though_they_break_yaml(tmp_path: Path) -> None:
    agent = read_agent_file(written(tmp_path, agent_text("Use it so: now", "tools: *")))
    assert (agent.description, agent.extra) == ("Use it so: now", {"tools": "*"})


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError) as caught:
        read_agent_file(written(tmp_path, "---\nname: Ä b\ntier: huge\nmax_attempts: 0\n---\n"))
    assert [fault.split(" ")[0] for fault in caught.value.faults] == [
        "name",
        "tier",
        "max_attempts",
        "description",
        "there",
    ]
    assert "; tier 'huge' is not known" in str(caught.value)


def test_a_file_may_show_tasks_as_prompts_and_as_mappings(tmp_path: Path) -> None:
    lines = "examples:\n  - Why?\n  - {prompt: Sum up, data: {n: [1]}, type: sum}\n  - {data: 0}"
    agent = read_agent_file(written(tmp_path, agent_text("Works", lines)))
    assert agent.examples == (
        SampleTask("Why?"),
        SampleTask("Sum up", {"n": [1]}, "sum"),
        SampleTask(data=0),
    )
    assert [sample.fields for sample in agent.examples] == [
        {"prompt": "Why?"},
        {"prompt": "Sum up", "data": {"n": [1]}, "type": "sum"},
        {"data": 0},
    ]
    assert not agent.extra


@pytest.mark.parametrize(
    ("lines", "tier", "model"),
    [
        (("model: opus",), Tier.OPUS, None),
        (("model: Sonnet",), Tier.SONNET, None),
        (("model: haiku",), Tier.DEFAULT, None),
        (("model: inherit", "tier: sonnet"), Tier.SONNET, None),
        (("model: inherit",), Tier.DEFAULT, None),
        (("model: opus", "tier: default"), Tier.DEFAULT, None),
        (("model: claude-sonnet-4",), Tier.SONNET, None),
        (("model: claude-unheard-of",), Tier.DEFAULT, "claude-unheard-of"),
        (("model: opus:7b",), Tier.DEFAULT, "opus:7b"),
        (("model: TinyLlama2.5-coder:7b",), Tier.DEFAULT, "qwen2.5-coder:7b"),
    ],
)
def test_a_model_in_another_programs_words_is_a_tier_here(
    tmp_path: Path, lines: tuple[str, ...], tier: Tier, model: str | None
) -> None:
    agent = read_agent_file(written(tmp_path, agent_text("Works", *lines)))
    assert (agent.tier, agent.model) == (tier, model)


CODE_REVIEWER = r"""---
name: code-reviewer
description: Use this agent after code was written. Examples: <example>Context: a commit.\nuser: "Done: look!"</example>
tools: Read, Grep, Bash
model: sonnet
color: red
---

You review code: thoroughly.
"""


def test_a_file_for_another_program_loads_though_its_description_breaks_yaml(tmp_path: Path) -> None:
    agent = read_agent_file(written(tmp_path, CODE_REVIEWER))
    assert (agent.name, agent.tier, agent.model) == ("code-reviewer", Tier.SONNET, None)
    first, second = agent.description.split("\n")
    assert first.startswith("Use this agent after code was written. Examples: <example>Context: a commit.")
    assert second == 'user: "Done: look!"</example>'
    assert agent.extra == {"tools": "Read, Grep, Bash", "color": "red"}
    assert agent.misspelt == {}
    assert list(agent.notes()) == [
        "tools is kept and not used: agents here have no tools",
        "color is kept and not used",
    ]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "an-agent.md"
    path.write_bytes(b"\xef\xbb\xbf" + agent_text("Works").replace("\n", "\r\n").encode())
    assert read_agent_file(path).system_prompt == "You work."


@pytest.mark.parametrize(
    ("description", "summary"),
    [
        ("Works", "Works"),
        ("Works  hard.\n  And more.", "Works hard."),
        (f"Works. {'x' * 120}", "Works."),
        ("y" * 121, "y" * 121),
    ],
)
def test_a_list_gets_one_line_of_a_description(tmp_path: Path, description: str, summary: str) -> None:
    agent = read_agent_file(written(tmp_path, agent_text(json.dumps(description))))
    assert (agent.description, agent.summary) == (description, summary)


def test_notes_tell_what_stands_there_and_does_nothing(tmp_path: Path) -> None:
    lines = ("max_attempt: 5", "temperature: 1", "author: me", "options: {temprature: 0, top_k: 3, mirostat: 1}")
    agent = read_agent_file(written(tmp_path, agent_text("Works", *lines)))
    assert list(agent.notes()) == [
        "max_attempt is kept and not used: did you mean max_attempts?",
        "temperature is kept and not used: did you mean options.temperature?",
        "author is kept and not used",
        "options.temprature goes to the model server as it is: did you mean temperature?",
    ]
