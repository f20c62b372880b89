"""The commands of `sutazai`. Each is imported once it is asked for: together they take twice as long as one of them."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

HOMES: Final = {
    "demo": "agents.cli.demo.command",
    "run": "agents.cli.run",
    "submit": "agents.cli.submit",
    "results": "agents.cli.results",
    "status": "agents.cli.status",
    "top": "agents.cli.top",
    "task": "agents.cli.task",
    "cancel": "agents.cli.cancel",
    "pause": "agents.cli.pause",
    "resume": "agents.cli.resume",
    "drain": "agents.cli.drain",
    "topology": "agents.cli.topology",
    "models": "agents.cli.models",
    "exporter": "agents.cli.exporter",
    "doctor": "agents.cli.doctor",
    "local-model": "agents.cli.local_model",
    "agents": "agents.cli.agents",
    "dlq": "agents.cli.dlq",
    "migrate": "agents.cli.migrate",
}
"""Each command, or group of commands, and the module that has it under its own name; in the order of the help."""


class CommandGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs | {"commands": _Commands()})


class _Commands(Mapping[str, object]):
    def __init__(self) -> None:
        self._imported: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        if name not in self._imported:
            self._imported[name] = _command_in(HOMES[name], name)
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(HOMES)

    def __len__(self) -> int:
        return len(HOMES)


def _command_in(module: str, name: str) -> object:
    found = getattr(import_module(module), name.replace("-", "_"))
    if isinstance(found, typer.Typer):
        return get_group(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return get_command(alone)
