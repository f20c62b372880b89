"""Coroutines of v2 agents that are used as if they were answers."""

import ast

import pytest

from agents.core.migration.awaiting import unawaited
from agents.core.migration.lineage import classes_of
from agents.core.migration.syntax import Surroundings


def found_in(method: str) -> list[str]:
    program = f"class A(B):\n    async def ask(self): ...\n    async def process_task(self, task):\n        {method}\n"
    tree = ast.parse(program)
    return [spot.message for spot in unawaited(classes_of(tree)[0], Surroundings(tree))]


@pytest.mark.parametrize(
    "line",
    [
        "self.query_ollama('x')",
        "text = self.query_ollama('x')",
        "text = self.query_ollama('x').strip()",
        "text = self.query_ollama_chat([])[0]",
        "text = f'{self.query_ollama(1)}'",
        "text = 'a' + self.query_ollama('x')",
        "return self.query_ollama('x')",
        "return {'a': self.query_ollama('x')}",
        "return len(self.query_ollama('x'))",
        "text = super().query_ollama('x')",
        "text = self.ask()",
        "text = self.ask(); return text.strip()",
        "[self.ask() for n in 'ab']",
        "if self.ask(): pass",
        "print(lambda: len(self.ask()))",
    ],
)
def test_an_answer_that_is_a_coroutine_is_found(line: str) -> None:
    assert len(found_in(line)) == 1
    assert "is not awaited" in found_in(line)[0]


@pytest.mark.parametrize(
    "line",
    [
        "text = await self.query_ollama('x')",
        "text = (await self.query_ollama('x')).strip()",
        "both = await asyncio.gather(self.ask(), self.ask())",
        "both = await asyncio.gather(*[self.ask() for n in 'ab'])",
        "task = asyncio.create_task(self.query_ollama('x'))",
        "text = self.query_ollama('x'); return await text",
        "text = self.ask(); return await asyncio.wait_for(text, 1)",
        "work = lambda: self.ask()",
        "text = other.query_ollama_sync('x')",
        "text = self.elsewhere()",
    ],
)
def test_a_coroutine_that_somebody_awaits_is_none(line: str) -> None:
    assert found_in(line) == []


def test_a_sync_process_task_is_found_and_a_sync_helper_may_pass_a_coroutine_on() -> None:
    program = "class A(B):\n    def process_task(self, task): ...\n    def ask(self): return self.query_ollama('x')\n"
    tree = ast.parse(program)
    assert [(spot.line, spot.message) for spot in unawaited(classes_of(tree)[0], Surroundings(tree))] == [
        (2, "process_task is not async: write `async def process_task`")
    ]
