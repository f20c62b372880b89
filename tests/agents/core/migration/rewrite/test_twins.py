"""A rewritten agent gives what the v1 agent gave: the samples, and small programs of all shapes of statements."""

import asyncio
import inspect
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.migration.lineage import Lineages
from agents.core.migration.rewrite.rewriting import LeftAlone, Refused, Rewritten, rewrite_file
from schemas import TaskResult, TaskStatus
from tests.agents.core.migration.programs import SAMPLES, loaded, rewriting_of, rewritten, run_v2, told, v1
from tests.agents.core.migration.rewrite.sample_tasks import TASKS

REFUSED = {"faq-bot": "agent.py", "glossary-keeper": "agent.py", "release-notes": "agent.py", "translator": "agent.py"}


def run_v1(agent: Any, task: dict[str, Any]) -> object:
    """Let a v1 agent do a task; an async process_task on a v1 base is awaited."""
    returned = agent.process_task({"id": "t-0", "type": "default", "prompt": None} | task)
    return asyncio.run(returned) if inspect.iscoroutine(returned) else returned


@pytest.mark.parametrize("name", TASKS)
def test_a_rewritten_sample_gives_what_it_gave_before_task_after_task(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, class_name, tasks = TASKS[name]
    outcome = rewrite_file(SAMPLES / name / file, Lineages(SAMPLES))
    assert isinstance(outcome, Rewritten)
    old = loaded(outcome.before.decode(), name, monkeypatch)[class_name]()
    new = loaded(outcome.after.decode(), name, monkeypatch)[class_name]()
    for task in tasks:
        before = run_v1(old, task)
        after = run_v2(new, task)
        assert told(after) == before
        is_error = isinstance(before, dict) and before["status"] == "error"
        assert (isinstance(after, TaskResult) and after.status is TaskStatus.FAILED) is is_error


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        (
            "email_drafter",
            {"type": "draft", "data": {"to": "Ann", "about": "tea", "tone": "rude"}},
            "unknown tone rude",
        ),
        ("email_drafter", {"type": "sing", "prompt": "la"}, "cannot do 'sing'"),
        ("log-digest", {"type": "sing", "prompt": "la"}, "unsupported task type: sing"),
    ],
)
def test_a_rewritten_sample_raises_what_it_raised(
    name: str, task: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, class_name, _ = TASKS[name]
    outcome = rewrite_file(SAMPLES / name / file, Lineages(SAMPLES))
    assert isinstance(outcome, Rewritten)
    agent = loaded(outcome.after.decode(), name, monkeypatch)[class_name]()
    with pytest.raises(Exception, match=words):
        run_v2(agent, task)


@pytest.mark.parametrize("name", REFUSED)
def test_every_refused_sample_names_line_and_reason(name: str) -> None:
    outcome = rewrite_file(SAMPLES / name / REFUSED[name], Lineages(SAMPLES))
    assert isinstance(outcome, Refused)
    lines = len(outcome.path.read_text().splitlines())
    assert all(1 < spot.line <= lines and len(spot.message) > 20 for spot in outcome.reasons)


def test_a_rewritten_agent_gets_its_own_type_where_the_sender_gave_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = rewritten(tmp_path, v1("def process_task(self, task):\n    return {'a': task.get('type', 'add')}"))
    agent = loaded(after, "new", monkeypatch)["Worker"]()
    assert told(run_v2(agent, {"prompt": "x"})) == {"a": "add"}
    assert told(run_v2(agent, {"prompt": "x", "type": "sort"})) == {"a": "sort"}


def test_the_service_is_left_alone() -> None:
    assert isinstance(rewrite_file(SAMPLES / "status-board" / "app.py", Lineages(SAMPLES)), LeftAlone)


ATOMS = st.sampled_from(
    ["self.query_ollama('x')", "self.ask('x')", "ask(self, 'x')", "self.plain()", "task['prompt']", "'text'"]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    shapes = [
        "({0})",
        "{0}.upper()",
        "{0}[1:]",
        "({0} + {1})",
        "({0} or {1})",
        "({0} if {1} else 'no')",
        'f"<{{{0}}}>"',
        "''.join([{0} for n in 'ab'])",
        "str({{n: {0} for n in 'ab' if {1}}})",
        "str(sorted([{0}, {1}]))",
        "str(len({0}))",
        "str(not {0})",
        "(found := {0})",
        "self.ask({0})",
        "str(max(({0}, {1}), key=len))",
        "str([*{0}])",
        "str(any({0} == n for n in 'ab'))",
        "str([n for n in {0} if n in ({1} for m in 'a')])",
        "(lambda text: text + {0})({1})",
        "str(all(n for n in {0}))",
    ]
    return st.builds(lambda shape, one, two: shape.format(one, two), st.sampled_from(shapes), inner, inner)


# Quotes of both kinds within an f-string are not for Python 3.11: what is inside of one holds none of its own.
EXPRESSIONS = st.recursive(ATOMS, _grown, max_leaves=6).filter(lambda text: text.count('f"') <= 1)

STATEMENTS = [
    "made.append({0})",
    "if {0}:\n    made.append({1})\nelse:\n    made.append('else')",
    "for n in {0}:\n    made.append(n + {1})",
    "while len(made) < 3:\n    made.append({0})",
    "try:\n    made.append({0})\nfinally:\n    made.append({1})",
    "with closing(StringIO({0})) as text:\n    made.append(text.read())",
    "assert {0} is not None",
    "made += [{0}]",
    "def inner():\n    return {0}\nmade.append(inner())",
    "one, *rest = {0}\nmade.append(one)",
    "match {0}:\n    case str() as text:\n        made.append(text)",
    "try:\n    raise ValueError({0})\nexcept ValueError as error:\n    made.append(str(error))",
    "if len(made) > 9:\n    return {{'status': 'error', 'message': {0}}}",
    "made.append(getattr(self, 'plain')())",
    "made.append(self.given(self.plain))",
    "made.append(self.given(self.ask))",
]
BODIES = st.lists(
    st.builds(lambda shape, one, two: shape.format(one, two), st.sampled_from(STATEMENTS), EXPRESSIONS, EXPRESSIONS),
    min_size=1,
    max_size=4,
)
ENDS = st.sampled_from(
    [
        "return {'status': 'success', 'made': made}",
        "return {'status': 'error', 'message': made[0]}",
        "return self.end(made)",
    ]
)

COMMON = """
def ask(self, text):
    return self.query_ollama(text) + "!"

def plain(self):
    return "plain"

def given(self, function):
    return function() if function == self.plain else function("x")

def end(self, made):
    return {"status": "error" if len(made) > 2 else "success", "made": made}
"""
FRONT = """
from contextlib import closing
from io import StringIO

def ask(agent, text):
    return agent.query_ollama(text) + "?"
"""


def program_of(statements: list[str], end: str) -> str:
    lines = [line for text in ["made = ['first']", *statements, end] for line in text.splitlines()]
    body = "\n".join(f"    {line}" for line in lines)
    return v1(f"def process_task(self, task):\n{body}\n{COMMON}", before=FRONT)


@settings(max_examples=75, deadline=None)
@given(BODIES, ENDS)
def test_a_program_is_refused_or_becomes_one_that_compiles_and_gives_the_same(statements: list[str], end: str) -> None:
    program = program_of(statements, end)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        outcome = rewriting_of(Path(folder), program)
        if isinstance(outcome, Refused):
            assert all(spot.line > 0 and spot.message for spot in outcome.reasons)
            return
        assert isinstance(outcome, Rewritten)
        after = outcome.after.decode()
        old = loaded(program, "old", monkeypatch)["Worker"]()
        new = loaded(after, "new", monkeypatch)["Worker"]()
        task = {"prompt": "please", "type": "default"}
        assert told(run_v2(new, task)) == run_v1(old, task)
        (Path(folder) / "agent.py").write_text(after)
        assert isinstance(rewrite_file(Path(folder) / "agent.py", Lineages(Path(folder))), LeftAlone)


def test_the_programs_are_not_all_refused() -> None:
    shapes = [text.format("self.ask('x')", "self.query_ollama('y')") for text in STATEMENTS]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [rewriting_of(Path(folder), program_of([text], "return {'made': made}")) for text in shapes]
    assert sum(isinstance(outcome, Rewritten) for outcome in outcomes) == len(STATEMENTS) - 2
