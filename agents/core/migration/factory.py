"""Agents by their files: which class in a file is the agent, and one made from it, of either generation."""

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.kebab import agent_name_from
from agents.core.markdown_agent import MarkdownAgent
from agents.core.migration.legacy_base import LegacyBaseAgent
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.lineage import is_v1_module
from agents.core.migration.loading import AgentLoadError, load_agent_file
from agents.core.migration.places import MAIN_FILES, queue_name
from agents.core.settings import load_settings

AgentFactory = Callable[..., BaseAgentV2]
"""Makes the agent; its arguments are those of the agent's own class, or of LegacyAgentWrapper after the class."""

_BASES = (BaseAgentV2, MarkdownAgent, LegacyAgentWrapper, LegacyBaseAgent)


def create_agent_factory(name: str, path: str | Path | None = None) -> AgentFactory:
    """Return what makes the agent in the folder `name`, from its `agent.py` or `app.py`, under that name.

    Args:
        name: the agent's name; its folder may be spelt with hyphens, underscores or capitals.
        path: the folder with the agents' folders; None looks in SUTAZAI_AGENTS_PATH, the current folder and `agents`.

    Raises:
        AgentLoadError: there is no such folder, or no agent in it.
    """
    roots = [Path(path)] if path is not None else [*load_settings(None).agents_path, Path(), Path("agents")]
    chosen = agent_class_at(_folder(agent_name_from(name), roots))

    def factory(*args: Any, **kwargs: Any) -> BaseAgentV2:
        return made_agent(chosen, agent_name_from(name), *args, **kwargs)

    return factory


def made_agent(chosen: type, name: str, *args: Any, **kwargs: Any) -> BaseAgentV2:
    """Make an agent under a name: one of the first generation is wrapped.

    Raises:
        AgentLoadError: a class of the second generation takes no name, and has another of its own.
    """
    if not issubclass(chosen, BaseAgentV2):
        return LegacyAgentWrapper(chosen, *args, name=name, **kwargs)
    make: AgentFactory = chosen
    agent = make(*args, name=name, **kwargs) if takes(chosen, "name") else make(*args, **kwargs)
    if agent.name != name:
        raise AgentLoadError(
            f"{chosen.__name__} calls itself {agent.name!r} and not {name!r}: let its __init__ take a name"
        )
    return agent


def takes(chosen: type, argument: str) -> bool:
    """Say whether the `__init__` of a class takes an argument of this name."""
    parameters = inspect.signature(chosen).parameters
    return argument in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def agent_class_at(path: Path) -> type:
    """Return the agent's class of a file, or of a folder's `agent.py` or `app.py`.

    It is the one class there that derives from the base of a generation. Of several it is the one named as the folder
    or the file is, else the last that the main block uses, else the one from which no other derives.

    Raises:
        AgentLoadError: there is no file, it cannot be loaded, or it holds no agent or several.
    """
    file = agent_file_at(path)
    module = load_agent_file(file)
    found = [kind for kind in _agents_of(module) if kind.__module__ == module.__name__] or list(_agents_of(module))
    if not found:
        raise _no_agent(module, file)
    return found[0] if len(found) == 1 else _one_of(found, file)


def agent_file_at(path: Path) -> Path:
    """Return the file of an agent: the path itself, or what lies in the folder. Raises AgentLoadError."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise AgentLoadError(f"{path}: there is no such file or folder")
    found = next((path / name for name in MAIN_FILES if (path / name).is_file()), None)
    if found is None:
        raise AgentLoadError(f"{path}: no {' or '.join(MAIN_FILES)} lies in this folder: name the agent's file")
    return found


def name_at(path: Path) -> str:
    """Return what an agent is called by its place: as the folder of an agent.py or app.py is, else as the file is."""
    return queue_name(agent_file_at(path))


def _folder(name: str, roots: Iterable[Path]) -> Path:
    looked: list[str] = []
    for root in roots:
        looked.append(str(root))
        folders = sorted(root.iterdir()) if root.is_dir() else []
        for folder in folders:
            if agent_name_from(folder.name) == name and any((folder / file).is_file() for file in MAIN_FILES):
                return folder
    raise AgentLoadError(
        f"no agent {name!r}: no folder of that name with {' or '.join(MAIN_FILES)} lies in {', '.join(looked)}"
    )


def _agents_of(module: ModuleType) -> Iterator[type]:
    kinds = {kind for kind in vars(module).values() if inspect.isclass(kind) and kind not in _BASES}
    return (kind for kind in sorted(kinds, key=lambda kind: kind.__qualname__) if _is_agent(kind))


def _is_agent(kind: type) -> bool:
    return issubclass(kind, BaseAgentV2 | LegacyBaseAgent) or any(_is_house_base(base) for base in kind.__mro__[1:])


def _is_house_base(kind: type) -> bool:
    return kind.__name__ == "BaseAgent" and is_v1_module(kind.__module__)


def _no_agent(module: ModuleType, file: Path) -> AgentLoadError:
    bases = {base for kind in vars(module).values() if inspect.isclass(kind) for base in kind.__mro__}
    foreign = next((base for base in bases if base.__name__ == "BaseAgentV2" and base is not BaseAgentV2), None)
    if foreign is not None:
        place = getattr(sys.modules.get(foreign.__module__), "__file__", foreign.__module__)
        return AgentLoadError(f"{file}: its BaseAgentV2 is another product's, from {place}: take that off the path")
    return AgentLoadError(
        f"{file}: no class in it derives from BaseAgentV2, or from an old agent_base.BaseAgent: it holds no agent"
    )


def _one_of(found: list[type], file: Path) -> type:
    name = name_at(file)
    named = [kind for kind in found if agent_name_from(kind.__name__) in (name, f"{name}-agent")]
    used = [kind for word in _main_words(file) for kind in found if kind.__name__ == word]
    last = [kind for kind in found if not any(kind in other.__mro__[1:] for other in found)]
    chosen = named[:1] or used[-1:] or (last if len(last) == 1 else [])
    if not chosen:
        names = ", ".join(kind.__name__ for kind in last)
        raise AgentLoadError(f"{file}: {names} are all agents: give each a file, or use one in the main block")
    return chosen[0]


def _main_words(file: Path) -> list[str]:
    """Return the names that the main block uses, in their order, those of a function that it calls included."""
    tree = ast.parse(file.read_bytes())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)]
    words = [word for block in blocks for word in _words(block)]
    return [inner for word in words for inner in (_words(functions[word]) if word in functions else [word])]


def _words(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
