"""Small v1 programs for the tests of the migration, and what runs them in both generations."""

import asyncio
import logging
import sys
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from agents.core.migration.lineage import Lineages
from agents.core.migration.rewrite.rewriting import Refused, Rewriting, Rewritten, rewrite_file
from schemas import TaskMessage, TaskResult

SAMPLES = Path(__file__).parent / "samples"

ANSWER = "Ok"
"""What the model says to everything."""


class BaseAgent:
    """The v1 base as its users know it, without its loop."""

    def __init__(self, config_path: str = "/app/config.json") -> None:
        self.config_path = config_path
        self.config: dict[str, Any] = {}
        self.logger = logging.getLogger("v1")

    def query_ollama(self, prompt: str, model: str = "tinyllama") -> str:  # noqa: ARG002 - the signature is v1's
        """Answer as the model does."""
        return ANSWER


def v1(methods: str, *, before: str = "", after: str = "") -> str:
    """Return a program with one v1 agent of these methods; process_task is added where it is missing."""
    body = dedent(methods)
    if "def process_task" not in body:
        body = f"def process_task(self, task):\n    return {{'answer': self.work(task)}}\n{body}"
    front = f"from agent_base import BaseAgent\n{dedent(before)}"
    return f"{front}\nclass Worker(BaseAgent):\n{indent(body, '    ')}\n{dedent(after)}"


def rewriting_of(folder: Path, program: str) -> Rewriting:
    """Write a program as the file of the agent `worker`, which its class is called too, and rewrite it."""
    path = folder / "worker" / "agent.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(program, encoding="utf-8")
    return rewrite_file(path, Lineages(folder))


def rewritten(folder: Path, program: str) -> str:
    """Return what a program becomes."""
    outcome = rewriting_of(folder, program)
    assert isinstance(outcome, Rewritten), outcome
    return outcome.after.decode()


def reasons(folder: Path, program: str) -> list[str]:
    """Return why a program is refused, each as `line: reason`."""
    outcome = rewriting_of(folder, program)
    assert isinstance(outcome, Refused), outcome
    return [f"{spot.line}: {spot.message}" for spot in outcome.reasons]


def loaded(program: str, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a program's text as a module, the v1 base importable under its usual names; return what it defines."""
    for module in ("agent_base", "shared.agent_base", "agents.agent_base"):
        base = types.ModuleType(module)
        base.BaseAgent = BaseAgent  # type: ignore[attr-defined] # a module takes any name
        monkeypatch.setitem(sys.modules, module, base)
    monkeypatch.setitem(sys.modules, "shared", types.ModuleType("shared"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = types.ModuleType(name)
    made.__file__ = str(SAMPLES / name / "agent.py")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a program that asserts a text; ours are errors elsewhere
        exec(compile(program, name, "exec"), made.__dict__)  # noqa: S102 - running it is the point
    return made.__dict__


def told(returned: object) -> object:
    """Return the v1 dict that a task's outcome holds, whichever generation it comes from."""
    return returned.result if isinstance(returned, TaskResult) else returned


def run_v2(agent: Any, given: Mapping[str, Any]) -> object:
    """Let a rewritten agent, whose model says ANSWER, do one task."""

    async def query_ollama(prompt: str, model: str | None = None) -> str:  # noqa: ARG001 - the signature is v2's
        await asyncio.sleep(0)
        return ANSWER

    agent.query_ollama = query_ollama
    return asyncio.run(agent.process_task(TaskMessage(agent="worker", **given)))
