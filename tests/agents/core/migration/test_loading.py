"""Loading agents' files: what they import by one name is each folder's own, and old names of modules work."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agents
from agents.core import base_agent_v2, settings
from agents.core.migration import legacy_base
from agents.core.migration.aliases import OLD_BASES, join_old_bases
from agents.core.migration.legacy_base import LegacyBaseAgent
from agents.core.migration.loading import AgentLoadError, load_agent_file
from agents.core.module_aliases import ModuleAliases
from tests.agents.core.migration.old_agents import simple, write_agent

HOUSE = {"core", "shared", "agent_base", "only_here_1"}
"""Packages and modules that a house, or a test's file, brings along."""


@pytest.fixture(autouse=True)
def _imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test's files have imported, and where from."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Without what the import of migration_helper, in another test's file, has joined for this process.
    monkeypatch.setattr(sys, "meta_path", [each for each in sys.meta_path if not isinstance(each, ModuleAliases)])
    monkeypatch.setattr(agents, "__path__", list(agents.__path__))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in HOUSE or name == "agents.agent_base"]:
        del sys.modules[name]
    vars(agents).pop("agent_base", None)


def loaded(folder: Path, program: str) -> Any:
    return load_agent_file(write_agent(folder, program))


def test_helpers_of_one_name_in_two_folders_are_two_modules_also_when_they_are_imported_late(tmp_path: Path) -> None:
    program = """
        import helpers
        from helpers import VALUE
        from parts import inner
        import parts.inner

        def late():
            import late_helpers
            return late_helpers.VALUE
        """
    modules = []
    for n in (1, 2):
        folder = tmp_path / f"agent-{n}"
        write_agent(folder, "from late_helpers import VALUE", "helpers.py")
        write_agent(folder, f"VALUE = {n}", "late_helpers.py")
        write_agent(folder / "parts", "", "__init__.py")
        write_agent(folder / "parts", f"VALUE = {n}0", "inner.py")
        modules.append(loaded(folder, program))
    assert [(module.VALUE, module.helpers.VALUE, module.late()) for module in modules] == [(1, 1, 1), (2, 2, 2)]
    assert [(module.inner.VALUE, module.parts.inner.VALUE) for module in modules] == [(10, 10), (20, 20)]
    assert not {"helpers", "late_helpers", "parts"} & set(sys.modules)


def test_a_relative_import_finds_what_lies_beside_it(tmp_path: Path) -> None:
    write_agent(tmp_path, "VALUE = 5", "helpers.py")
    assert loaded(tmp_path, "from .helpers import VALUE\nfrom . import helpers\n").helpers.VALUE == 5


def test_a_file_is_loaded_once_and_its_main_block_does_not_run(tmp_path: Path) -> None:
    path = write_agent(tmp_path, "if __name__ == '__main__':\n    raise SystemExit\n")
    assert load_agent_file(path) is load_agent_file(path)


def test_a_file_that_reads_its_options_does_not_get_those_of_this_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ["sutazai", "run", "--legacy", "old"]
    monkeypatch.setattr(sys, "argv", ours)
    program = """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--port", type=int, default=8080)
        PORT = parser.parse_args().port
        """
    module = loaded(tmp_path, program)
    assert (module.PORT, module.parser.prog) == (8080, "agent.py")
    assert sys.argv is ours


def test_what_a_file_puts_on_the_path_shadows_nothing_that_was_there(tmp_path: Path) -> None:
    write_agent(tmp_path / "lib", "VALUE = 3", "only_here_1.py")
    before = list(sys.path)
    module = loaded(tmp_path, f"import sys\nsys.path.insert(0, {str(tmp_path / 'lib')!r})\nimport only_here_1\n")
    assert module.only_here_1.VALUE == 3
    assert sys.path == [*before, str(tmp_path / "lib")]


@pytest.mark.parametrize(
    "line",
    [
        "from agent_base import BaseAgent",
        "from shared.agent_base import BaseAgent",
        "from agents.agent_base import BaseAgent",
        "from .agent_base import BaseAgent",
        "from ..agent_base import BaseAgent",
        "from agent_base import *",
        "import agent_base; BaseAgent = agent_base.BaseAgent",
        "import shared.agent_base; BaseAgent = shared.agent_base.BaseAgent",
        "import shared.agent_base as base; BaseAgent = base.BaseAgent",
        "import agents.agent_base; BaseAgent = agents.agent_base.BaseAgent",
        "from shared import agent_base; BaseAgent = agent_base.BaseAgent",
        "from agents import agent_base; BaseAgent = agent_base.BaseAgent",
    ],
)
def test_every_spelling_of_the_old_base_gives_ours_where_there_is_no_other(line: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, line).BaseAgent is LegacyBaseAgent


@pytest.mark.parametrize("package", ["", "shared", "agents"])
@pytest.mark.parametrize("is_beside", [True, False])
def test_a_real_base_on_the_path_or_beside_the_file_goes_first(package: str, is_beside: bool, tmp_path: Path) -> None:
    house = tmp_path / ("agent" if is_beside else "house")
    write_agent(house / package, "class BaseAgent:\n    is_real = True\n", "agent_base.py")
    name = f"{package}.agent_base" if package else "agent_base"
    front = f"import sys\nsys.path.insert(0, {str(house)!r})\n"
    assert loaded(tmp_path / "agent", f"{front}from {name} import BaseAgent").BaseAgent.is_real


def test_a_real_package_without_the_base_keeps_what_else_it_has(tmp_path: Path) -> None:
    write_agent(tmp_path / "house" / "shared", "", "__init__.py")
    write_agent(tmp_path / "house" / "shared", "VALUE = 4", "values.py")
    front = f"import sys\nsys.path.append({str(tmp_path / 'house')!r})\n"
    module = loaded(tmp_path, f"{front}import shared.values\nimport shared.agent_base\nfrom shared import values\n")
    assert (module.shared.agent_base.BaseAgent, module.shared.values.VALUE) == (LegacyBaseAgent, 4)


@pytest.mark.parametrize(
    "line",
    [
        "from core.base_agent_v2 import BaseAgentV2",
        "from core import base_agent_v2; BaseAgentV2 = base_agent_v2.BaseAgentV2",
        "import core.base_agent_v2; BaseAgentV2 = core.base_agent_v2.BaseAgentV2",
        "import core; BaseAgentV2 = core.base_agent_v2.BaseAgentV2",
        "from agents.core.base_agent_v2 import BaseAgentV2",
    ],
)
def test_the_modules_of_core_are_those_of_agents_core(line: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, line).BaseAgentV2 is base_agent_v2.BaseAgentV2
    assert "core" not in sys.modules


def test_core_of_this_product_on_the_path_or_beside_the_file_is_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "core").symlink_to(Path(settings.__file__).parent)
    line = f"import sys\nsys.path.append({str(Path(agents.__file__).parent)!r})\nimport core.settings\n"
    assert loaded(tmp_path, line).core.settings is settings


def test_a_core_of_the_house_is_not_shadowed(tmp_path: Path) -> None:
    write_agent(tmp_path / "house" / "core", "", "__init__.py")
    write_agent(tmp_path / "house" / "core", "VALUE = 6", "settings.py")
    front = f"import sys\nsys.path.append({str(tmp_path / 'house')!r})\n"
    assert loaded(tmp_path / "agent", f"{front}from core.settings import VALUE\n").VALUE == 6


@pytest.mark.parametrize(
    "line", ["import core.nothing", "from .nothing import x", "import missing_8.agent", "import agents.x8"]
)
def test_a_module_that_nobody_has_is_missing_by_its_own_name(line: str, tmp_path: Path) -> None:
    with pytest.raises(AgentLoadError, match=r"agent.py:1: no module '.*(core.nothing|nothing|missing_8|agents.x8)'"):
        loaded(tmp_path, line)


def test_a_base_that_is_broken_is_told_and_not_replaced(tmp_path: Path) -> None:
    write_agent(tmp_path, "import not_installed_7", "agent_base.py")
    with pytest.raises(AgentLoadError, match=r"agent_base.py:1: no module 'not_installed_7'"):
        loaded(tmp_path, "from agent_base import BaseAgent")


def test_a_base_on_the_path_that_is_broken_is_told_and_not_replaced(tmp_path: Path) -> None:
    write_agent(tmp_path / "house", "import not_installed_6", "agent_base.py")
    front = f"import sys\nsys.path.append({str(tmp_path / 'house')!r})\n"
    with pytest.raises(AgentLoadError, match=r"agent.py:3: no module 'not_installed_6'"):
        loaded(tmp_path / "agent", f"{front}from agent_base import BaseAgent")


def test_a_file_without_a_main_block_is_loaded_and_runs_nothing_yet(tmp_path: Path) -> None:
    module = loaded(tmp_path, simple("Unguarded", "1") + "\nagent = Unguarded()\nagent.run()\n")
    assert module.agent.process_task({})["says"] == 1


@pytest.mark.parametrize("name", OLD_BASES)
def test_in_a_program_of_ones_own_old_bases_are_ours_once_asked_for(name: str) -> None:
    join_old_bases()
    join_old_bases()
    assert importlib.import_module(name) is legacy_base
    assert sys.meta_path.count(sys.meta_path[-1]) == 1
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("shared.something_else")


def test_in_a_program_of_ones_own_a_real_base_goes_first(tmp_path: Path) -> None:
    write_agent(tmp_path / "shared", "class BaseAgent:\n    is_real = True\n", "agent_base.py")
    sys.path.append(str(tmp_path))
    join_old_bases()
    assert importlib.import_module("shared.agent_base").BaseAgent.is_real


def test_imports_of_everybody_else_are_as_they_were(tmp_path: Path) -> None:
    loaded(tmp_path, "from agent_base import BaseAgent\nimport core.settings\n")
    for name in ("agent_base", "shared", "core"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
