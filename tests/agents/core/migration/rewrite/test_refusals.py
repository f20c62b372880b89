"""What the rewrite refuses, each with its line and a reason that says what to do."""

from pathlib import Path

import pytest

from tests.agents.core.migration.programs import reasons, v1

ASK = """
def ask(self, text):
    return self.query_ollama(text)
"""

REFUSED = {
    "a lambda": (
        "work = lambda self, task: 0\ndef go(self):\n    return lambda: self.query_ollama('x')",
        "in a lambda",
    ),
    "a sort key": ("def work(self, task):\n    return sorted([1], key=lambda n: self.ask(n))" + ASK, "is a sort key"),
    "a method as sort key": ("def work(self, task):\n    return sorted('ab', key=self.ask)" + ASK, "ask is a sort key"),
    "a generator expression": (
        "def work(self, task):\n    return any(self.ask(n) for n in 'ab')" + ASK,
        "write a list",
    ),
    "an inner list in a generator expression": (
        "def work(self, task):\n    return any([self.ask(m) for m in 'a'] for n in 'ab')" + ASK,
        "write a list",
    ),
    "a generator": ("def work(self, task):\n    yield self.query_ollama('x')", "work is a generator"),
    "a property": ("@property\ndef work(self):\n    return self.query_ollama('x')", "work is a property"),
    "a foreign decorator": ("@cached(3)\ndef work(self, task):\n    return self.query_ollama('x')", "@cached may not"),
    "the constructor": (
        "def __init__(self):\n    super().__init__()\n    self.first = self.query_ollama('x')",
        "__init__ cannot be async",
    ),
    "a context manager": ("def __enter__(self):\n    return self.query_ollama('x')", "__enter__ cannot be async"),
    "an iterator": ("def __next__(self):\n    return self.query_ollama('x')", "__next__ cannot be async"),
    "a nested function": (
        "def work(self, task):\n    def inner():\n        return self.query_ollama('x')\n    return inner()",
        "inner is a function inside of another",
    ),
    "a thread": ("def work(self, task):\n    Thread(target=self.ask).start()" + ASK, "given to Thread"),
    "an executor": (
        "def work(self, task):\n    return self.pool.submit(self.ask, 'x')" + ASK,
        "given to self.pool.submit",
    ),
    "a map": ("def work(self, task):\n    return list(map(self.query_ollama, 'ab'))", "given to map"),
    "a table of handlers": ("def work(self, task):\n    return {'a': self.ask}" + ASK, "is used as a value"),
    "a name made at run time": (
        "def work(self, task):\n    return getattr(self, 'do_' + task['type'])(task)" + ASK,
        "looked up by a name made at run time",
    ),
    "a name as text": (
        "def work(self, task):\n    return getattr(self, 'ask')('x')" + ASK,
        "ask asks the model and is looked up",
    ),
    "another method's name in the class": (ASK + "alias = ask", "is used as a value"),
    "a default": ("def work(self, task, made=query_ollama):\n    return 1", "is used as a value"),
    "a private name": (
        "def __ask(self):\n    return self.query_ollama('x')\ndef work(self, task):\n    return self._Worker__ask()",
        "is called by its private name",
    ),
    "a lock": ("def work(self, task):\n    with self.lock:\n        return self.query_ollama('x')", "under a lock"),
    "an object inside": (
        "def work(self, task):\n    return self.other.query_ollama('x')",
        "may belong to another object",
    ),
    "a loop of its own": (
        "async def work(self): return self.query_ollama('x')\ndef process_task(self, task): asyncio.run(self.work())",
        "cannot run where a loop runs already",
    ),
    "the base's tasks": (
        "def process_task(self, task):\n    return super().process_task(task)",
        "the base's own process_task is gone in v2",
    ),
    "an object not named self": ("def process_task(this, task):\n    return {}", "does not call its object self"),
    "run without its base": (
        "def work(self, task):\n    return 1\ndef run(self):\n    pass",
        "run is overridden without",
    ),
    "a name of v2": (
        "def work(self, task):\n    return 1\ndef handle(self, task):\n    pass",
        "v2 has handle of its own",
    ),
    "an attribute of v2": ("def work(self, task):\n    self.statistics = {}", "v2 has self.statistics of its own"),
    "a read-only attribute": ("def work(self, task):\n    self.model = 'x'", "self.model is read only"),
    "its name": ("def work(self, task):\n    self.agent_name = 'x'", "give super().__init__ the agent's name"),
    "no call of the base": ("def __init__(self):\n    self.x = 1", "does not call super().__init__"),
    "arguments by position": (
        "def __init__(self):\n    super().__init__('a', 'b')",
        "gives the base's __init__ more than config_path",
    ),
    "arguments as they come": ("def __init__(self, **all):\n    super().__init__(**all)", "or all that it got"),
    "a call of the base within another": (
        "def __init__(self):\n    self.x = super().__init__()",
        "is no statement of its own",
    ),
    "a call of the base that shares its line": (
        "def __init__(self): super().__init__()\ndef work(self, task):\n    return self.config",
        "the call of the base's __init__ shares its line",
    ),
    "a call of the base beside another": (
        "def __init__(self):\n    super().__init__(); self.x = 1\ndef work(self, task):\n    return self.config",
        "the call of the base's __init__ shares its line",
    ),
    "unknown arguments": ("def __init__(self):\n    super().__init__(colour='red')", "BaseAgentV2 takes no colour"),
    "async here and sync there": (
        "def work(self, task): return self.query_ollama('x')\nif True:\n    async def work(self, task): return 1",
        "work is async in one class and not in another",
    ),
    "an f-string that tells its code": (
        "def work(self, task):\n    return f'{self.query_ollama(1)=}'",
        "f-string with `=`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_awaited_or_kept_is_refused_with_its_reason(tmp_path: Path, case: str) -> None:
    methods, reason = REFUSED[case]
    assert any(reason in told for told in reasons(tmp_path, v1(methods)))


MODULES = {
    "other names of the base's module": ("from agent_base import BaseAgent, Status\n", "", "Status come from"),
    "all names of the base's module": ("from agent_base import *\n", "", "all its names come from"),
    "other members of it": ("import agent_base\nx = agent_base.Status\n", "", "Status comes from the v1 base's module"),
    "a shared line": ("import os; import agent_base\n", "", "shares its line"),
    "a shared line in a block": ("try: import agent_base\nexcept ImportError: pass\n", "", "shares its line"),
    "a query outside of functions": ("", "Worker().query_ollama('x')\n", "outside of any function"),
    "a task outside of functions": (
        "",
        "Worker().process_task({})\n",
        "process_task is called outside of any function",
    ),
    "a helper outside of functions": ("", "worker = Worker()\nworker.work('x')\n", "outside of any function"),
    "a function that asks, called by the main block": (
        "def ask(agent):\n    return agent.query_ollama('x')\n",
        "if __name__ == '__main__':\n    ask(Worker())\n",
        "ask is called outside of any function",
    ),
    "a function that asks, given away": (
        "def ask(agent):\n    return agent.query_ollama('x')\ntable = [ask]\n",
        "",
        "is used as a value",
    ),
    "a base that is assigned as well": ("BaseAgent = BaseAgent\n", "", "BaseAgent is assigned as well as imported"),
    "class arguments": ("", "class Other(BaseAgent, metaclass=type):\n    pass\n", "Other has a metaclass"),
}


@pytest.mark.parametrize("case", MODULES)
def test_what_stands_around_the_class_is_refused_with_its_reason(tmp_path: Path, case: str) -> None:
    before, after, reason = MODULES[case]
    spelling = "agent_base.BaseAgent" if "import agent_base" in before else "BaseAgent"
    program = f"class Worker({spelling}):\n    def process_task(self, task):\n        return {{'a': self.work('x')}}\n"
    program += "    def work(self, text):\n        return self.query_ollama(text)\n"
    front = before if "import" in before else f"from agent_base import BaseAgent\n{before}"
    assert any(reason in told for told in reasons(tmp_path, f"{front}{program}{after}"))


def test_a_base_in_another_file_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text("from agent_base import BaseAgent\nclass House(BaseAgent):\n    pass\n")
    program = "from house import House\nclass Worker(House):\n    def process_task(self, task):\n        return {}\n"
    assert reasons(tmp_path, program) == [
        "2: Worker derives from a class in house.py, which is v1: move that class into this file"
    ]


def test_a_refusal_names_the_line_of_the_query(tmp_path: Path) -> None:
    program = v1(
        "def work(self, task):\n    x = 1\n    return any(\n        self.query_ollama(n)\n        for n in x\n    )\n"
    )
    assert [told.partition(":")[0] for told in reasons(tmp_path, program)] == ["9"]


def test_a_file_that_does_not_compile_is_refused_with_its_line(tmp_path: Path) -> None:
    assert reasons(tmp_path, "x = 1\nprint 'hello'\n")[0].startswith("2: does not compile")


def test_a_class_on_one_line_that_needs_a_constructor_is_refused(tmp_path: Path) -> None:
    program = "from agent_base import BaseAgent\nclass A(BaseAgent): process_task = lambda self, task: self.config\n"
    assert "A is written on one line" in reasons(tmp_path, program)[0]


def test_a_coroutine_that_was_passed_up_without_await_is_refused(tmp_path: Path) -> None:
    methods = "def process_task(self, task):\n    return self.later()\nasync def later(self):\n    return {'a': 1}"
    assert "the coroutine of self.later is not awaited" in reasons(tmp_path, v1(methods))[0]


def test_a_file_that_is_nested_too_deeply_to_be_rewritten_is_refused(tmp_path: Path) -> None:
    methods = f"def work(self, task):\n    return {'+'.join(['1'] * 950)}"
    assert "cannot be rewritten as it is laid out" in reasons(tmp_path, v1(methods))[0]
