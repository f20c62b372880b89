"""The arrow of imports points downwards: schemas <- bus <- agents. Found by reading the source, not by importing it."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "bus", "agents")
SPEAKERS_OF_HTTP = {
    "agents/core/coordinator/client.py",
    "agents/core/ollama_client.py",
    "agents/doctor/management.py",
    "agents/local_model/runner.py",
}
"""The clients of older agents' coordinator, of Ollama, of RabbitMQ's management API, and of the model runner behind
the local model server."""

SOURCES = {
    path.relative_to(ROOT): ast.parse(path.read_text()) for name in PACKAGES for path in (ROOT / name).rglob("*.py")
}


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Yield the full names of all modules and members that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def without_functions(tree: ast.Module) -> ast.Module:
    """Return what runs when a module is imported; an import inside a function is a shorthand that looks back."""
    return ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])


def importers_of(*libraries: str) -> set[str]:
    return {
        str(path) for path, tree in SOURCES.items() if any(name.split(".")[0] in libraries for name in imports_of(tree))
    }


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize(("lower", "higher"), [("schemas", ("bus", "agents")), ("bus", ("agents",))])
def test_imports_point_downwards_only(lower: str, higher: tuple[str, ...]) -> None:
    assert not {path for path in importers_of(*higher) if path.startswith(f"{lower}/")}


def test_the_files_of_the_bus_alone_speak_amqp() -> None:
    assert {Path(path).parts[0] for path in importers_of("aio_pika", "aiormq", "pamqp")} == {"bus"}


def test_one_file_speaks_http_to_each_kind_of_server() -> None:
    assert importers_of("httpx") == SPEAKERS_OF_HTTP


def test_no_source_imports_the_tests() -> None:
    assert not importers_of("tests")


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_of(path) for path in SOURCES}
    graph = {
        module_of(path): {
            name if name in modules else name.rpartition(".")[0]
            for name in imports_of(without_functions(tree))
            if {name, name.rpartition(".")[0]} & modules
        }
        for path, tree in SOURCES.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


def test_prefetch_is_never_asked_for_a_whole_channel() -> None:
    # RabbitMQ 4.3 takes global_=True for per-consumer without a word: a limit over k consumers would become k times it.
    keywords = {word.arg for tree in SOURCES.values() for word in ast.walk(tree) if isinstance(word, ast.keyword)}
    assert "global_" not in keywords
