"""The public face of each package: `__all__` is sorted, complete and importable."""

import ast
import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest

import agents

PACKAGES = ["schemas"]
AGENTS = ast.parse(Path(agents.__file__).read_text())


@pytest.mark.parametrize("package", PACKAGES)
def test_all_names_every_public_member_and_no_other(package: str) -> None:
    face = importlib.import_module(package)
    public = {
        name
        for name, value in vars(face).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(face.__all__)


def test_agents_fetches_the_names_that_type_checkers_see_from_where_they_see_them() -> None:
    imports = [node for node in ast.walk(AGENTS) if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    public = {name: home for name, home in seen.items() if name in agents.__all__}
    assert sorted(public) == sorted(agents.__all__)
    for name, home in public.items():
        assert getattr(agents, name) is getattr(importlib.import_module(str(home)), name)
    with pytest.raises(AttributeError, match="module 'agents' has no attribute 'Agent'"):
        _ = agents.Agent  # type: ignore[attr-defined]


def test_a_shell_completes_the_names_before_they_are_fetched() -> None:
    program = "import agents; assert set(agents.__all__) <= set(dir(agents))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_nobody_asks_for_is_not_imported() -> None:
    program = "import sys; from agents import Client; assert 'agents.core.host' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("package", [*PACKAGES, "agents"])
def test_all_is_sorted_as_ruff_sorts_it_and_names_nothing_twice(package: str) -> None:
    names = importlib.import_module(package).__all__
    assert len(names) == len(set(names))
    assert all(hasattr(importlib.import_module(package), name) for name in names)
