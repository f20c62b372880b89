"""`sutazai run --legacy PATH`, and agents by the path of their Python file."""

import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from agents.cli.agents_by_path import agent_by_path, is_path
from agents.cli.chosen_agents import chosen_agents
from agents.cli.selection import AgentNotFoundError, Selection
from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.lineage import Lineages
from agents.core.migration.loading import AgentLoadError
from agents.core.migration.rewrite.rewriting import Rewritten, rewrite_file
from agents.core.settings import SettingsError, load_settings
from schemas import TaskStatus
from tests.agents.core.migration.programs import SAMPLES
from tests.support.agent_world import connected_client, settings_for
from tests.support.program import ended, program, sutazai

OLD = """
from {base} import BaseAgent

class Counter(BaseAgent):
    def __init__(self, config_path="/app/config.json"):
        super().__init__(config_path)
        self.count = 0

    def process_task(self, task):
        self.count += 1
        return {{"status": "success", "count": self.count, "prompt": task["prompt"], "name": self.agent_name}}

if __name__ == "__main__":
    Counter().run()
"""
NEW = """
from core.base_agent_v2 import BaseAgentV2

class Mine(BaseAgentV2):
    {init}
    async def process_task(self, task):
        return {{"echo": task["prompt"]}}
"""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def _path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


async def test_old_files_of_every_spelling_run_in_one_process_unchanged(vhost_url: str, tmp_path: Path) -> None:
    paths = [
        written(tmp_path / "one-agent" / "agent.py", OLD.format(base="agent_base")).parent,
        written(tmp_path / "two_agent" / "app.py", OLD.format(base="shared.agent_base")),
        written(tmp_path / "three.py", OLD.format(base="agents.agent_base")),
    ]
    legacy = [word for path in paths for word in ("--legacy", str(path))]
    env = {"AMQP_URL": vhost_url, "SUTAZAI_GRACE_PERIOD": "1"}
    async with (
        connected_client(settings_for(vhost_url)) as client,
        program(*sutazai("run", *legacy), env=env, cwd=tmp_path) as running,
    ):
        await running.says("host.started")
        names = ["one-agent", "two-agent", "three"]
        results = [await client.ask(name, "Hi", timeout=20) for name in [*names, "three"]]
        running.send(signal.SIGTERM)
        assert await running.ends() == 0
    assert [result.status for result in results] == [TaskStatus.COMPLETED] * 4
    assert [(result.result["name"], result.result["count"]) for result in results] == [
        *((name, 1) for name in names),
        ("three", 2),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "agent.py:1: it does not compile: invalid syntax"),
        ("import fastapi_9\n", "agent.py:1: no module 'fastapi_9': install it"),
        ("x = 1\n", "agent.py: no class in it derives from BaseAgentV2"),
        (
            OLD.format(base="agent_base").replace("self.count = 0", "self.count = {}['x']"),
            "Counter cannot be made: KeyError: 'x'",
        ),
    ],
)
async def test_a_file_that_is_no_agent_ends_the_command_with_a_sentence(text: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "agent.py", text)
    code, said = await ended(*sutazai("run", "--legacy", str(path)), env={"AMQP_URL": "memory://"}, cwd=tmp_path)
    assert (code, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert words in said.err.replace("\n", " ")
    assert "Traceback" not in said.err


def test_a_path_among_the_agents_is_of_either_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = written(tmp_path / "old-one" / "agent.py", OLD.format(base="agent_base"))
    new = written(tmp_path / "new.py", NEW.format(init=""))
    monkeypatch.chdir(tmp_path)
    typed = [f"{old.parent}/", "new.py", "senior-engineer"]
    found = chosen_agents(Selection(typed), load_settings(None), config_path=None, max_concurrent_tasks=2)
    assert [agent.name for agent in found] == ["old-one", "mine", "senior-engineer"]
    assert isinstance(found[0], LegacyAgentWrapper)
    assert [agent.max_concurrent_tasks for agent in found] == [2, 2, 2]
    assert new.exists()


def test_a_wrapped_agent_is_called_as_the_environment_says_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "old-one" / "agent.py", OLD.format(base="agent_base"))
    monkeypatch.setenv("AGENT_NAME", "from-outside")
    assert agent_by_path(path, {"config_path": None}).name == "from-outside"


def test_one_at_a_time_unless_the_command_says_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "9")
    path = written(tmp_path / "old-one" / "agent.py", OLD.format(base="agent_base"))
    assert agent_by_path(path, {"config_path": None, "max_concurrent_tasks": None}).max_concurrent_tasks == 1


def test_faults_of_settings_and_arguments_are_told_as_such(tmp_path: Path) -> None:
    bad = "self.config = __import__('agents.core.settings').core.settings.load_settings('/nowhere.toml')"
    old = written(tmp_path / "old" / "agent.py", OLD.format(base="agent_base").replace("self.count = 0", bad))
    with pytest.raises(SettingsError, match="cannot be read"):
        agent_by_path(old, {})
    new = written(tmp_path / "new" / "app.py", NEW.format(init="def __init__(self, x): super().__init__()"))
    with pytest.raises(AgentNotFoundError, match=r"Mine cannot be made here \(missing a required argument: 'x'\)"):
        agent_by_path(new, {"config_path": None})
    with pytest.raises(AgentLoadError, match="no such file or folder"):
        agent_by_path(tmp_path / "nowhere.py", {})


INITS = [
    "",
    "def __init__(self): super().__init__()",
    "def __init__(self, config_path='/app/config.json'): super().__init__(config_path)",
]


@pytest.mark.parametrize("sample", ["code-reviewer", "email_drafter", "log-digest", "meeting-minutes", "ticket-triage"])
def test_a_rewritten_sample_starts_every_way_under_the_name_it_had_wrapped(
    sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(SAMPLES / sample, tmp_path / sample))
    (file,) = folder.glob("a*.py")
    wrapped = agent_by_path(SAMPLES / sample, {})
    _rewrite(file)
    monkeypatch.chdir(folder)
    (kind,) = re.findall(r"^class (\w+)\(BaseAgentV2\)", file.read_text(), re.MULTILINE)
    module = shutil.copy(file, folder / f"{sample.replace('-', '_')}_rewritten.py")
    started = _started(f"{folder}/", str(file), f"{Path(module).stem}:{kind}")
    assert not any(isinstance(agent, LegacyAgentWrapper) for agent in started)
    assert {agent.name for agent in started} == {wrapped.name} == {sample.replace("_", "-")}
    monkeypatch.setenv("AGENT_NAME", "from-outside")
    assert [agent.name for agent in _started(str(file))] == ["from-outside"]


@pytest.mark.parametrize("init", INITS)
def test_a_rewritten_agent_of_every_kind_of_init_starts_under_its_folders_name(init: str, tmp_path: Path) -> None:
    text = (
        f"from agent_base import BaseAgent\nclass WordsAgent(BaseAgent):\n    {init}\n    def process_task(self, task):"
    )
    file = written(tmp_path / "word-counter" / "agent.py", f"{text}\n        return {{}}\n")
    _rewrite(file)
    assert [agent.name for agent in _started(str(file), f"{file.parent}/")] == ["word-counter"] * 2


def _rewrite(file: Path) -> None:
    outcome = rewrite_file(file, Lineages(file.parent))
    assert isinstance(outcome, Rewritten)
    outcome.write()


def _started(*typed: str) -> list[BaseAgentV2]:
    """Make agents as `sutazai run` does that is given no option."""
    return chosen_agents(Selection(typed), load_settings(None), config_path=None, max_concurrent_tasks=None)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("app.py", True),
        ("there/", True),
        ("./there", True),
        ("there", False),
        ("there/x.md", False),
        ("not/there", False),
    ],
)
def test_a_path_is_a_python_file_or_a_folder_spelt_with_a_slash(
    text: str, answer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_path(text) is answer
