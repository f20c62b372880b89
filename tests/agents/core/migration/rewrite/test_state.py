"""What counts as state between tasks, for which a rewritten agent does one task at a time."""

from pathlib import Path

import pytest

from tests.agents.core.migration.programs import rewritten, v1

START = """
def __init__(self):
    super().__init__()
    self.seen = []
    self.table = dict(a=1)
    self.limit = 3
"""
MODULE = """
import collections
LOG = logging.getLogger("x")
TABLE = {}
COUNTS: dict[str, int] = collections.Counter()

def note(key):
    BODY
"""


def is_lonely(folder: Path, line: str, in_module: str = "pass") -> bool:
    program = v1(
        f"{START}names = {{}}\ndef process_task(self, task):\n    {line}\n    return {{}}",
        before=MODULE.replace("BODY", in_module),
    )
    return "max_concurrent_tasks=1" in rewritten(folder, program)


@pytest.mark.parametrize(
    "line",
    [
        "self.limit = 4",
        "self.limit += 1",
        "self.seen[0] = 1",
        "self.client.timeout = 1",
        "del self.table['a']",
        "self.seen.append(1)",
        "self.client.post('x')",
        "self.names['a'] = 1",
        "seen = self.seen",
        "heappush(self.seen, 1)",
        "if (seen := self.seen): pass",
        "names = self.names",
        "global TABLE",
        "TABLE['a'] = 1",
        "COUNTS.update('a')",
        "table = TABLE",
        "for self.limit in 'ab': pass",
    ],
)
def test_what_may_be_changed_between_tasks_is_state(tmp_path: Path, line: str) -> None:
    assert is_lonely(tmp_path, line)


@pytest.mark.parametrize("line", ["TABLE[key] = 1", "return TABLE", "COUNTS.update(key)"])
def test_a_function_of_the_module_may_keep_it_too(tmp_path: Path, line: str) -> None:
    assert is_lonely(tmp_path, "note('x')", line)


@pytest.mark.parametrize(
    "line",
    [
        "x = self.limit",
        "x = len(self.seen) + len(TABLE)",
        "x = self.table.get('a')",
        "x = sorted(self.seen)",
        "x = self.table['a']",
        "self.logger.info('x')",
        "LOG.info('x')",
        "x = {}; x['a'] = 1; x.update(b=2)",
        "heappush([], self.limit)",
    ],
)
def test_what_is_only_read_is_none(tmp_path: Path, line: str) -> None:
    assert not is_lonely(tmp_path, line)
