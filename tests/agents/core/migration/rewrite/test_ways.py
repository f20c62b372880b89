"""Which agents keep v1's ways, by `@as_v1`, and what they are told to do to need it no longer."""

from pathlib import Path

import pytest

from agents.core.migration.rewrite.rewriting import Rewritten
from tests.agents.core.migration.programs import rewriting_of, v1

HELPERS = """
def fine(self):
    return {'status': 'success'}

def bad(self):
    if True:
        return {'status': 'error', 'message': 'no'}
    return self.bad()

def around(self, n):
    if n:
        return self.around(n - 1)
    return {'n': n}

def read(self, task):
    return task['data']
"""


def notes_of(folder: Path, lines: str) -> list[str]:
    """Rewrite a process_task of these lines; return why it keeps v1's ways."""
    body = "\n".join(f"    {line}" for line in lines.splitlines())
    outcome = rewriting_of(folder, v1(f"def process_task(self, task):\n{body}\n{HELPERS}"))
    assert isinstance(outcome, Rewritten), outcome
    notes = [spot.message for spot in outcome.notes if spot.message.startswith("@as_v1")]
    text = outcome.after.decode()
    assert ("@as_v1\n    async def process_task" in text) is bool(notes)
    assert ("from agents.core.migration.v1 import as_v1\n" in text) is bool(notes)
    return notes


@pytest.mark.parametrize(
    "lines",
    [
        "return {'status': 'success', 'a': 1}",
        "return {'a': 1}",
        "return self.fine()",
        "if task['type']:\n    return\nreturn self.around(1)",
        "return {'a': task['type'], 'b': task.get('data', {}), 'c': task['data']['text']}",
        "return {'a': self.read(task)}",
        "return {'a': self.query_ollama('x')}",
        "try:\n    n = int(task['id'])\nexcept ValueError:\n    n = 0\nreturn {'a': n}",
        "try:\n    n = self.query_ollama('x')\nexcept (KeyError, json.JSONDecodeError):\n    n = 0\nreturn {'a': n}",
        "try:\n    n = 1\nfinally:\n    n = self.query_ollama('x')\nreturn {'a': n}",
    ],
)
def test_an_agent_that_would_be_the_same_in_v2_is_one(tmp_path: Path, lines: str) -> None:
    assert notes_of(tmp_path, lines) == []


@pytest.mark.parametrize(
    "lines",
    [
        "return self.bad()",
        "return {'status': 'error'}",
        "return {'status': status}",
        "return {**other}",
        "return {key: 1}",
        "return dict(status='error')",
        "return result",
        "return self.elsewhere()",
    ],
)
def test_an_error_among_the_results_is_told_as_v1_did(tmp_path: Path, lines: str) -> None:
    assert all("raise PermanentError(message)" in note for note in notes_of(tmp_path, lines))
    assert notes_of(tmp_path, lines)


@pytest.mark.parametrize(
    "use",
    [
        "task['subject']",
        "task['prompt']",
        "task.get('subject')",
        "task.get(name)",
        "task.items()",
        "json.dumps(task)",
        "isinstance(task, dict)",
        "len(task)",
        "[key for key in task]",
        "'subject' in task",
        "self.elsewhere(task)",
        "self.fine(task)",
        "task.pop('id')",
        "task.get('type', 'add')",
    ],
)
def test_a_task_that_is_used_as_a_dict_stays_one(tmp_path: Path, use: str) -> None:
    (note,) = notes_of(tmp_path, f"return {{'a': {use}}}")
    assert "a task is used as the dict that it was" in note


@pytest.mark.parametrize("line", ["task['seen'] = 1", "del task['data']", "task['data']['x'] = 1", "kept = task"])
def test_a_task_that_is_changed_or_kept_stays_a_dict(tmp_path: Path, line: str) -> None:
    assert "a task is used as the dict that it was" in notes_of(tmp_path, f"{line}\nreturn {{'a': 1}}")[0]


def test_a_query_whose_failure_is_caught_is_watched(tmp_path: Path) -> None:
    lines = "try:\n    text = self.query_ollama('x')\nexcept Exception:\n    text = 'none'\nreturn {'a': text}"
    (note,) = notes_of(tmp_path, lines)
    assert "so that an outage uses no attempt" in note


def test_a_process_task_that_calls_itself_keeps_its_dicts(tmp_path: Path) -> None:
    (note,) = notes_of(tmp_path, "return {'a': self.process_task({'type': 'other'})}")
    assert "process_task is called with a dict" in note


def test_an_async_process_task_is_looked_through_as_well(tmp_path: Path) -> None:
    methods = """
    async def process_task(self, task):
        await self.query_ollama('x')
        return await self.later()

    async def later(self):
        return {'a': 1}
    """
    outcome = rewriting_of(tmp_path, v1(methods))
    assert isinstance(outcome, Rewritten)
    assert (outcome.notes, outcome.after.count(b"await self.query_ollama")) == ((), 1)
