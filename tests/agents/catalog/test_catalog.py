from pathlib import Path

import pytest

from agents.core.catalog import CATALOG, AgentFileError, find_agent_files, load_catalog, read_agent_file
from agents.core.tiers import Tier
from schemas import RetryRules

FILES = sorted(CATALOG.rglob("*.md"))


def written(folder: Path, text: str, name: str = "an-agent") -> Path:
    path = folder / f"{name}.md"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_of_the_catalogue_is_an_agent_of_its_name_and_folder(path: Path) -> None:
    agent = read_agent_file(path)
    assert (agent.name, agent.category) == (path.stem, path.parent.name)
    assert agent.description
    assert agent.system_prompt
    assert not agent.extra


def test_the_catalogue_holds_every_file_under_its_name() -> None:
    assert sorted(load_catalog()) == sorted(path.stem for path in FILES)


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
        ("---\ntier: opus\n---\nWork", "description is None: give it one line of text"),
        ("---\ndescription: ' '\n---\nWork", "description is ' ': give it one line of text"),
        ("---\ndescription: [a]\n---\nWork", r"description is \['a'\]: give it one line of text"),
        ("---\ndescription: d\ntier: huge\n---\nWork", "tier 'huge' is not known: use one of opus, sonnet, default"),
        ("---\ndescription: d\nname: My Agent\n---\nWork", "name 'My Agent' is not usable: lower-case letters"),
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
        ("---\na: b: c\n---\nWork", "cannot be read as Markdown with front matter: mapping values"),
        ("---\n- a\n---\nWork", "description is None"),
        ("no front matter", "description is None"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence_that_names_it(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(AgentFileError, match=rf"an-agent\.md: {told}"):
        read_agent_file(written(tmp_path, text))


def test_a_file_that_is_missing_or_no_text_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError, match=r"none\.md: cannot be read as Markdown"):
        read_agent_file(tmp_path / "none.md")
    (tmp_path / "b.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(AgentFileError, match=r"b\.md: cannot be read as Markdown"):
        read_agent_file(tmp_path / "b.md")
    with pytest.raises(AgentFileError, match=r"b\.md: cannot be read as Markdown"):
        list(find_agent_files([tmp_path]))


def test_files_without_front_matter_are_passed_over_and_the_first_folder_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2" / "deep"
    first.mkdir()
    second.mkdir(parents=True)
    written(first, "# A readme", "README")
    mine = written(first, "---\ndescription: Mine\n---\nWork", "twice")
    theirs = written(second, "---\ndescription: Theirs\n---\nWork", "twice")
    other = written(second, "---\ndescription: Other\n---\nWork", "other")
    folders = (first, tmp_path / "2", tmp_path / "missing")
    assert list(find_agent_files(folders)) == [mine, other, theirs]
    assert {name: agent.description for name, agent in load_catalog(folders).items()} == {
        "twice": "Mine",
        "other": "Other",
    }
