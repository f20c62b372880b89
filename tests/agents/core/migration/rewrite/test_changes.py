"""What the rewrite changes, and that it changes nothing else."""

from pathlib import Path

import pytest

from agents.core.migration.lineage import Lineages
from agents.core.migration.rewrite.rewriting import LeftAlone, Rewritten, rewrite_file
from tests.agents.core.migration.programs import rewriting_of, rewritten, v1

EXPRESSIONS = {
    "self.query_ollama('x')": "await self.query_ollama('x')",
    "self.query_ollama('x').strip()": "(await self.query_ollama('x')).strip()",
    "self.query_ollama('x')[0]": "(await self.query_ollama('x'))[0]",
    "self.query_ollama('x')()": "(await self.query_ollama('x'))()",
    "(self.query_ollama('x')).strip()": "(await self.query_ollama('x')).strip()",
    "(self.query_ollama('x'))": "(await self.query_ollama('x'))",
    "not self.query_ollama('x')": "not await self.query_ollama('x')",
    "2 ** self.query_ollama('x')": "2 ** await self.query_ollama('x')",
    "f'{self.query_ollama(1)}!'": "f'{await self.query_ollama(1)}!'",
    "[self.query_ollama(n) for n in 'ab']": "[await self.query_ollama(n) for n in 'ab']",
    "{n for n in 'ab' if self.query_ollama(n)}": "{n for n in 'ab' if await self.query_ollama(n)}",
    "all(n for n in self.query_ollama('x'))": "all(n for n in await self.query_ollama('x'))",
    "self.query_ollama(self.query_ollama('x'))": "await self.query_ollama(await self.query_ollama('x'))",
    "self.query_ollama('x') if task else ''": "await self.query_ollama('x') if task else ''",
    "(text := self.query_ollama('x'))": "(text := await self.query_ollama('x'))",
    "print(*self.query_ollama('x'))": "print(*await self.query_ollama('x'))",
    "super().query_ollama('x')": "await super().query_ollama('x')",
    "Worker.query_ollama(self, 'x')": "await Worker.query_ollama(self, 'x')",
}


@pytest.mark.parametrize("before", EXPRESSIONS)
def test_a_query_is_awaited_with_parentheses_where_it_needs_them(tmp_path: Path, before: str) -> None:
    after = rewritten(tmp_path, v1(f"def work(self, task):\n    return {before}\n"))
    assert f"return {EXPRESSIONS[before]}\n" in after


IMPORTS = {
    "from agent_base import BaseAgent": "from agents import BaseAgentV2",
    "from shared.agent_base import BaseAgent  # noqa: E402": "from agents import BaseAgentV2  # noqa: E402",
    "from agents.agent_base import BaseAgent": "from agents import BaseAgentV2",
    "from .agent_base import BaseAgent": "from agents import BaseAgentV2",
    "from agent_base import BaseAgent as Agent": "from agents import BaseAgentV2",
    "import agent_base": "from agents import BaseAgentV2",
    "import shared.agent_base": "from agents import BaseAgentV2",
    "import shared.agent_base as ab": "from agents import BaseAgentV2",
    "from shared import agent_base": "from agents import BaseAgentV2",
    "from shared import agent_base, other": "from shared import other\nfrom agents import BaseAgentV2",
    "import os, agent_base": "import os\nfrom agents import BaseAgentV2",
    "try:\n    from agent_base import BaseAgent\nexcept ImportError:\n    from shared.agent_base import BaseAgent": (
        "try:\n    from agents import BaseAgentV2\nexcept ImportError:\n    from agents import BaseAgentV2"
    ),
}
SPELLINGS = {
    "from agent_base import BaseAgent as Agent": "Agent",
    "import agent_base": "agent_base.BaseAgent",
    "import os, agent_base": "agent_base.BaseAgent",
    "import shared.agent_base": "shared.agent_base.BaseAgent",
    "import shared.agent_base as ab": "ab.BaseAgent",
    "from shared import agent_base": "agent_base.BaseAgent",
    "from shared import agent_base, other": "agent_base.BaseAgent",
}


@pytest.mark.parametrize("imported", IMPORTS)
def test_every_spelling_of_the_base_becomes_one(tmp_path: Path, imported: str) -> None:
    base = SPELLINGS.get(imported, "BaseAgent")
    body = "    def process_task(self, task):\n        return {'a': 1}\n"
    after = rewritten(tmp_path, f"# first\n{imported}\n\nclass Worker({base}):\n{body}")
    awaited = body.replace("def", "async def")
    assert after == f"# first\n{IMPORTS[imported]}\n\nclass Worker(BaseAgentV2):\n{awaited}"


def test_helpers_of_helpers_become_async_and_others_stay(tmp_path: Path) -> None:
    program = v1(
        """
        def work(self, task):
            return self.one(task) + self.plain(task)

        def one(self, task):
            return two(self, task)

        def plain(self, task):
            return "plain"
        """,
        before="""
        def two(agent, task):
            return agent.query_ollama(task["prompt"])
        def three(agent):
            return agent
        """,
    )
    after = rewritten(tmp_path, program)
    assert "return await self.one(task) + self.plain(task)" in after
    assert "async def one(self, task):\n        return await two(self, task)" in after
    assert "async def two(agent, task):\n    return await agent.query_ollama" in after
    assert "    def plain(self, task)" in after
    assert "\ndef three(agent)" in after


def test_a_method_that_was_async_is_left_to_whoever_awaits_it(tmp_path: Path) -> None:
    after = rewritten(
        tmp_path,
        v1(
            """
            async def process_task(self, task):
                both = await asyncio.gather(self.later(1), self.later(2))
                return {"both": both, "one": await self.later(3)}

            async def later(self, n):
                return self.query_ollama(n)
            """
        ),
    )
    assert "gather(self.later(1), self.later(2))" in after
    assert '"one": await self.later(3)' in after
    assert "return await self.query_ollama(n)" in after


def test_all_classes_of_a_file_agree_on_what_is_async(tmp_path: Path) -> None:
    program = v1(
        "def work(self, task):\n    return self.ask()\ndef ask(self):\n    return 'nothing'",
        after="class Asker(Worker):\n    def ask(self):\n        return self.query_ollama('x') + super().ask()\n",
    )
    after = rewritten(tmp_path, program)
    assert after.count("async def ask(self)") == 2
    assert "await self.query_ollama('x') + await super().ask()" in after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("super().__init__(config_path)", "super().__init__(config_path=config_path)"),
        ("super().__init__(config_path=config_path)", "super().__init__(config_path=config_path)"),
        ("super(Worker, self).__init__(config_path)", "super(Worker, self).__init__(config_path=config_path)"),
        ("BaseAgent.__init__(self, config_path)", "BaseAgentV2.__init__(self, config_path=config_path)"),
        ("super().__init__()", "super().__init__()"),
    ],
)
def test_the_constructor_gives_the_path_by_name(tmp_path: Path, before: str, after: str) -> None:
    program = v1(
        f"def __init__(self, config_path='x'):\n    {before}\ndef process_task(self, task):\n    return {{'a': 1}}"
    )
    assert f"        {after}\n" in rewritten(tmp_path, program)


def test_a_constructor_between_the_class_and_the_base_keeps_its_own_arguments(tmp_path: Path) -> None:
    program = v1(
        "def __init__(self, path):\n    super().__init__(path)\ndef process_task(self, task):\n    return {'a': 1}",
        after="class Other(Worker):\n    def __init__(self, path):\n        super().__init__(path)\n",
    )
    after = rewritten(tmp_path, program)
    assert after.count('super().__init__(config_path=path, name=v1_name("worker"))') == 1
    assert after.count("super().__init__(path)") == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "",
            'self, config_path="/app/config.json"):\n        super().__init__(config_path=config_path, {})',
        ),
        ("def __init__(self):\n    super().__init__()", "super().__init__({})"),
        ("def __init__(self):\n    super().__init__(name='own')", "super().__init__(name='own')"),
    ],
)
def test_the_name_that_the_wrapped_agent_had_is_written_where_the_class_says_another(
    tmp_path: Path, before: str, after: str
) -> None:
    changed = rewritten(tmp_path, v1(before).replace("Worker", "WorkerAgent"))
    assert after.format('name=v1_name("worker")') in changed
    assert "from agents.core.migration.v1 import" in changed


def test_two_agents_of_one_file_keep_the_names_of_their_classes(tmp_path: Path) -> None:
    program = v1("", after="class Other(BaseAgent):\n    def process_task(self, task):\n        return {}\n")
    assert "v1_name" not in rewritten(tmp_path, program.replace("Worker", "One"))


def test_an_agent_with_state_asks_for_one_task_at_a_time_as_v1_had_it(tmp_path: Path) -> None:
    start = "def __init__(self):\n    super().__init__()\n    self.n = 0\n"
    counting = v1(f"{start}def process_task(self, task):\n    self.n += 1\n    return {{'n': self.n}}")
    stateless = v1(f"{start}def process_task(self, task):\n    self.logger.info('x')\n    return {{'n': self.n}}")
    assert "super().__init__(max_concurrent_tasks=1)" in rewritten(tmp_path, counting)
    assert "super().__init__()" in rewritten(tmp_path, stateless)


def test_a_class_with_state_and_no_constructor_gets_one(tmp_path: Path) -> None:
    program = v1(
        "'''Counts.'''\n\nseen = 0\n\ndef process_task(self, task):\n    self.seen += 1\n    return {'n': self.seen}"
    )
    assert (
        "    '''Counts.'''\n\n"
        '    def __init__(self, config_path="/app/config.json"):\n'
        "        super().__init__(config_path=config_path, max_concurrent_tasks=1)\n\n"
        "    seen = 0\n"
    ) in rewritten(tmp_path, program)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("super().__init__(config_path)  # why", "super().__init__(config_path=None)  # why\n{}config_path)"),
        ("super().__init__(config_path=PATH / 'x')", "super().__init__(config_path=None)\n{}PATH / 'x')"),
        ("super().__init__()", "super().__init__(config_path=None)\n{})"),
        ("BaseAgent.__init__(self, config_path)", "BaseAgentV2.__init__(self, config_path=None)\n{}config_path)"),
    ],
)
def test_an_agent_that_reads_its_own_file_goes_on_reading_it(tmp_path: Path, before: str, after: str) -> None:
    program = v1(
        f"def __init__(self, config_path='x'):\n    {before}\n"
        "def process_task(self, task):\n    return {'a': self.config['limit']}"
    )
    changed = rewritten(tmp_path, program)
    assert f"        {after.format('        self.config = v1_config(')}\n" in changed
    assert "from agents.core.migration.v1 import v1_config\n" in changed


def test_a_constructor_is_made_for_the_file_too_below_no_docstring(tmp_path: Path) -> None:
    program = v1("def process_task(self, task):\n    return {'a': self.config.get('limit')}")
    assert (
        "class Worker(BaseAgentV2):\n"
        '    def __init__(self, config_path="/app/config.json"):\n'
        "        super().__init__(config_path=None)\n"
        "        self.config = v1_config(config_path)\n\n"
        "    async def process_task"
    ) in rewritten(tmp_path, program)


def test_only_what_has_to_change_changes(tmp_path: Path) -> None:
    program = (
        "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\r\n'''Grüße'''\nfrom agent_base import BaseAgent # why\n\n\n"
        "class Worker( BaseAgent ) :\n\tdef process_task( self,task ):   # odd\n"
        "\t\treturn  { 'a':self.query_ollama( 'ä' ) , }  # kept\n\n\n\nif __name__=='__main__': Worker().run()"
    )
    assert rewritten(tmp_path, program) == program.replace(
        "from agent_base import BaseAgent", "from agents import BaseAgentV2"
    ).replace("( BaseAgent )", "( BaseAgentV2 )").replace("\tdef process", "\tasync def process").replace(
        "self.query", "await self.query"
    )


def test_the_encoding_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "agent.py"
    path.write_bytes(f"# -*- coding: latin-1 -*-\n{v1('def work(self, task): return 1')}# é\n".encode("latin-1"))
    outcome = rewrite_file(path, Lineages(tmp_path))
    assert isinstance(outcome, Rewritten)
    assert outcome.after.endswith("# é\n".encode("latin-1"))
    assert "# é" in outcome.before.decode("latin-1")


def test_what_is_v2_or_no_agent_is_left_alone(tmp_path: Path) -> None:
    once = rewritten(tmp_path, v1("def work(self, task):\n    return self.query_ollama('x')"))
    for program in (once, "x = 1\n", "from fastapi import FastAPI\napp = FastAPI()\n"):
        assert isinstance(rewriting_of(tmp_path, program), LeftAlone)


def test_an_agent_that_the_main_block_makes_is_known_by_its_name(tmp_path: Path) -> None:
    program = v1(
        "def work(self, task):\n    return self.query_ollama('x')",
        after="""
        async def main():
            worker = Worker()
            return worker.work({}) + Worker().work({}) + other.work({})
        """,
    )
    assert "return await worker.work({}) + await Worker().work({}) + other.work({})" in rewritten(tmp_path, program)
