import subprocess
import sys

import pytest

from agents.cli.commands import HOMES, CommandGroup

PROGRAM = """
import sys
from agents.cli.main import app
app({arguments!r}, standalone_mode=False)
print(*sorted(set({modules!r}) & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "imported"), [(["agents", "list"], "agents.cli.agents"), (["submit", "--help"], "agents.cli.submit")]
)
def test_a_command_is_run_without_the_others_being_imported(arguments: list[str], imported: str) -> None:
    program = PROGRAM.format(arguments=arguments, modules=list(HOMES.values()))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert ended.stderr.split() == [imported]


def test_looking_at_a_fleet_needs_nothing_of_what_reads_agent_files_and_runs_brokers() -> None:
    program = PROGRAM.format(arguments=["status", "--help"], modules=["jsonschema", "psutil", "yaml"])
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert ended.stderr == "\n"


def test_every_command_is_there_under_its_name() -> None:
    group = CommandGroup(name="sutazai")
    assert [getattr(command, "name", None) for command in group.commands.values()] == list(HOMES)
    assert len(group.commands) == len(HOMES)
    assert "no-command" not in group.commands
