"""What old files get from `agent_base`: attributes, configuration, logging, and a task as a dict."""

import json
import logging
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agents.core.kebab import agent_name_from
from agents.core.migration.legacy_base import LegacyBaseAgent
from agents.core.migration.legacy_task import legacy_task
from agents.core.settings import SettingsError
from schemas import AGENT_NAME_PATTERN, TaskMessage


class CodeReviewer(LegacyBaseAgent):
    pass


def test_an_old_agent_has_the_attributes_that_its_code_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = CodeReviewer()
    assert (bare.agent_name, bare.agent_type, bare.backend_url) == ("code-reviewer", "general", "")
    assert (bare.ollama_url, bare.config) == ("http://localhost:11434", {})
    assert (bare.is_running, bare.tasks_processed) == (False, 0)
    for name, value in {
        "AGENT_NAME": "other",
        "AGENT_TYPE": "review",
        "BACKEND_URL": "http://b",
        "OLLAMA_URL": "http://o",
    }.items():
        monkeypatch.setenv(name, value)
    told = CodeReviewer()
    assert (told.agent_name, told.agent_type, told.backend_url, told.ollama_url) == (
        "other",
        "review",
        "http://b",
        "http://o",
    )


def test_a_base_without_process_task_says_so() -> None:
    with pytest.raises(NotImplementedError, match="CodeReviewer does not define process_task"):
        CodeReviewer().process_task({"id": "t-1"})


def test_the_configuration_is_the_files_and_empty_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with capture_logs() as logs:
        assert CodeReviewer(str(path)).config == {}
    assert [entry["event"] for entry in logs] == ["legacy.no_config"]
    path.write_text(json.dumps({"agent_name": "Any thing", "depth": 3}))
    assert CodeReviewer(config_path=path).config == {"agent_name": "Any thing", "depth": 3}


@pytest.mark.parametrize(("text", "words"), [("{", "cannot be used"), ("[1]", "holds a list: make it a JSON object")])
def test_a_configuration_that_cannot_be_read_is_told(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        CodeReviewer(path)


def test_what_old_code_logs_goes_where_the_process_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    structlog.reset_defaults()
    monkeypatch.setattr(logging.root, "handlers", [])
    agents = [CodeReviewer(), CodeReviewer()]
    with capture_logs() as logs:
        agents[1].logger.info("task %s of %d", "t-1", 3)
        agents[0].logger.setLevel(logging.ERROR)
        agents[0].logger.info("not heard")
    assert logs == [
        {
            "event": "program.logged",
            "logger": "legacy.code-reviewer",
            "message": "task t-1 of 3",
            "exc_info": None,
            "log_level": "info",
        }
    ]
    monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
    agents[0].logger.setLevel(logging.DEBUG)
    with capture_logs() as logs:
        agents[0].logger.info("the program's own logging has it")
    assert logs == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CodeReviewer", "code-reviewer"),
        ("code_reviewer", "code-reviewer"),
        ("Code Reviewer 2!", "code-reviewer-2"),
        ("HTTPAgent", "http-agent"),
        ("-code--reviewer-", "code-reviewer"),
    ],
)
def test_a_name_is_made_from_what_old_code_calls_things(text: str, name: str) -> None:
    assert agent_name_from(text) == name


@given(st.text())
def test_a_name_is_empty_or_one_that_a_queue_can_bear(text: str) -> None:
    import re

    name = agent_name_from(text)
    assert name == "" or re.fullmatch(AGENT_NAME_PATTERN, name)
    assert agent_name_from(name) == name


WORD = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.integers() | WORD,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORD, inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(WORD | st.sampled_from(list(TaskMessage.model_fields)), JSON, max_size=4))
def test_a_task_is_a_plain_dict_whose_fields_win_over_what_stands_in_data(data: dict[str, object]) -> None:
    task = TaskMessage(agent="a", data=data, type="sort")
    old = legacy_task(task)
    assert json.loads(json.dumps(old)) == old
    assert (old["id"], old["type"], old["data"]) == (task.id, "sort", data)
    assert set(data) <= set(old)
    assert old.get("missing field", 3) == 3
    assert all(old[key] == value for key, value in data.items() if key not in TaskMessage.model_fields)


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, ("default", "add")), ({"type": "default"}, ("default", "add")), ({"type": "x"}, ("x", "x"))],
)
def test_a_type_that_nobody_gave_counts_as_missing_for_get_also_off_the_wire(
    given: dict[str, str], told: tuple[str, str]
) -> None:
    sent = TaskMessage(agent="a", prompt="x", **given).model_dump_json()
    old = legacy_task(TaskMessage.model_validate_json(sent))
    assert (old["type"], old.get("type", "add")) == told


def test_a_field_that_holds_none_counts_as_missing_for_get_alone() -> None:
    old = legacy_task(TaskMessage(agent="a", data=["x"]))
    assert (old["prompt"], old.get("prompt", ""), old.get("data")) == (None, "", ["x"])
