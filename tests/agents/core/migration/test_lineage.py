"""The base class of an agent, whatever way it was imported."""

from pathlib import Path

import pytest

from agents.core.migration.lineage import Generation, Lineages, classes_of
from agents.core.migration.source import Source, read_source

EITHER = """
try:
    from core.base_agent_v2 import BaseAgentV2 as B
except ImportError:
    from agent_base import BaseAgent as B
class A(B): ...
"""


def base_in(folder: Path, program: str, name: str = "agent.py") -> tuple[str, str] | None:
    """Return generation and base of the last class of a program."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(program)
    source = read_source(path)
    assert isinstance(source, Source)
    lineage = Lineages(folder).lineage(source, classes_of(source.tree)[-1])
    return None if lineage is None else (lineage.generation.value, lineage.base)


@pytest.mark.parametrize(
    ("program", "generation", "base"),
    [
        ("from agent_base import BaseAgent\nclass A(BaseAgent): ...", "v1", "agent_base.BaseAgent"),
        ("from shared.agent_base import BaseAgent as B\nclass A(B): ...", "v1", "shared.agent_base.BaseAgent"),
        ("from agents.agent_base import BaseAgent\nclass A(BaseAgent): ...", "v1", "agents.agent_base.BaseAgent"),
        ("from ..agent_base import BaseAgent\nclass A(BaseAgent): ...", "v1", "..agent_base.BaseAgent"),
        ("import agent_base\nclass A(agent_base.BaseAgent): ...", "v1", "agent_base.BaseAgent"),
        ("import shared.agent_base\nclass A(shared.agent_base.BaseAgent): ...", "v1", "shared.agent_base.BaseAgent"),
        ("import shared.agent_base as ab\nclass A(ab.BaseAgent): ...", "v1", "shared.agent_base.BaseAgent"),
        ("from shared import agent_base\nclass A(agent_base.BaseAgent): ...", "v1", "shared.agent_base.BaseAgent"),
        ("from . import agent_base\nclass A(agent_base.BaseAgent): ...", "v1", ".agent_base.BaseAgent"),
        ("from agent_base import *\nclass A(BaseAgent): ...", "v1", "agent_base.BaseAgent"),
        ("import agent_base\nB = agent_base.BaseAgent\nclass A(B): ...", "v1", "agent_base.BaseAgent"),
        (
            "import sys\nsys.path.append('..')\nfrom agent_base import BaseAgent\nclass A(BaseAgent): ...",
            "v1",
            "agent_base.BaseAgent",
        ),
        ("from agent_base import BaseAgent\nclass H(BaseAgent): ...\nclass A(H): ...", "v1", "agent_base.BaseAgent"),
        ("from agent_base import BaseAgent\nclass A(object, BaseAgent): ...", "v1", "agent_base.BaseAgent"),
        ("if True:\n  from agent_base import BaseAgent\n  class A(BaseAgent): ...", "v1", "agent_base.BaseAgent"),
        (EITHER, "v2", "core.base_agent_v2.BaseAgentV2"),
        (
            "from core.base_agent_v2 import BaseAgentV2\nclass A(BaseAgentV2): ...",
            "v2",
            "core.base_agent_v2.BaseAgentV2",
        ),
        (
            "from core.base_agent_v2 import BaseAgentV2 as BaseAgent\nclass A(BaseAgent): ...",
            "v2",
            "core.base_agent_v2.BaseAgentV2",
        ),
        (
            "from agents.core.base_agent_v2 import BaseAgent\nclass A(BaseAgent): ...",
            "v2",
            "agents.core.base_agent_v2.BaseAgent",
        ),
        ("from agents import BaseAgentV2\nclass A(BaseAgentV2): ...", "v2", "agents.BaseAgentV2"),
        ("import agents\nclass A(agents.BaseAgent): ...", "v2", "agents.BaseAgent"),
    ],
)
def test_every_spelling_leads_to_the_base(tmp_path: Path, program: str, generation: str, base: str) -> None:
    assert base_in(tmp_path, program) == (generation, base)


@pytest.mark.parametrize(
    "program",
    [
        "class A: ...",
        "class A(A): ...",
        "class A(B): ...\nclass B(A): ...",
        "class BaseAgent: ...",
        "class A(BaseAgent): ...",
        "from langchain import BaseAgent\nclass A(BaseAgent): ...",
        "from my.agents import BaseAgent\nclass A(BaseAgent): ...",
        "# from agent_base import BaseAgent\nclass A(BaseAgent): 'from agent_base import BaseAgent'",
        "class A(base_of('x')): ...",
        "from nowhere import House\nclass A(House): ...",
        "from agent_base import BaseAgent\ndef f():\n  class A(BaseAgent): ...\nclass C: ...",
    ],
)
def test_what_only_looks_like_it_is_none(tmp_path: Path, program: str) -> None:
    assert base_in(tmp_path, program) is None


HOUSE = "from agent_base import BaseAgent\nclass House(BaseAgent): ...\n"


@pytest.mark.parametrize(
    ("file", "imported", "spelt"),
    [
        ("team/house.py", "from house import House", "House"),
        ("team/house.py", "from .house import House as H", "H"),
        ("team/house.py", "import house", "house.House"),
        ("shared/house.py", "from shared.house import House", "House"),
        ("shared/house.py", "from ..shared.house import House", "House"),
        ("shared/house/__init__.py", "from shared import house", "house.House"),
        ("shared/__init__.py", "from shared import House", "House"),
    ],
)
def test_a_base_of_the_same_house_is_followed_into_its_file(
    tmp_path: Path, file: str, imported: str, spelt: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(HOUSE)
    assert base_in(tmp_path, f"{imported}\nclass A({spelt}): ...", "team/agent.py") == ("v1", "agent_base.BaseAgent")


def test_a_base_is_followed_through_a_file_that_only_passes_it_on(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text(HOUSE)
    (tmp_path / "front.py").write_text("from house import House\n")
    assert base_in(tmp_path, "from front import House\nclass A(House): ...") == ("v1", "agent_base.BaseAgent")


def test_files_that_import_each_other_in_a_circle_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from two import House\n")
    (tmp_path / "two.py").write_text("from one import House\n")
    (tmp_path / "broken.py").write_text("class House(\n")
    assert base_in(tmp_path, "from one import House\nfrom broken import House as H\nclass A(House, H): ...") is None


def test_a_file_on_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text(HOUSE)
    (tmp_path / "agent.py").write_text("from house import House\nclass A(House): ...")
    source = read_source(tmp_path / "agent.py")
    assert isinstance(source, Source)
    lineage = Lineages(tmp_path).lineage(source, classes_of(source.tree)[0])
    assert lineage is not None
    assert (lineage.generation, lineage.through) == (Generation.V1, (tmp_path / "house.py",))
