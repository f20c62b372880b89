"""Which models agents need, and which of them a server has. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from agents.cli.shown_letters import plain
from agents.core.model.names import model_key
from agents.core.model.requests import Json

_COLOURS: Final = {"loaded": "green", "missing": "red", "unknown": "yellow"}


@dataclass(frozen=True, slots=True)
class Need:
    """A model under the name that its first agent gives it, and the names of its agents."""

    model: str
    agents: Sequence[str]


class ModelState(StrEnum):
    """What a server says of a model; unknown where it does not answer."""

    LOADED = "loaded"
    INSTALLED = "installed"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Shelved:
    """A needed model at a server. `size` is its bytes on the disk there, None where it is not known to be there."""

    model: str
    agents: Sequence[str]
    server: str
    state: ModelState
    size: int | None = None


def needs_of(models: Iterable[tuple[str, str]]) -> list[Need]:
    """Return the models of pairs of an agent and its model, the one with the most agents first."""
    agents: dict[str, tuple[str, list[str]]] = {}
    for agent, model in models:
        agents.setdefault(model_key(model), (model, []))[1].append(agent)
    needs = [Need(model, tuple(names)) for model, names in agents.values()]
    return sorted(needs, key=lambda need: (-len(need.agents), need.model))


def shelved(needs: Iterable[Need], server: str, installed: Sequence[Json], loaded: Sequence[Json]) -> list[Shelved]:
    """Return what a server has of the needed models, given its answers to `/api/tags` and `/api/ps`."""
    sizes = {key: int(model.get("size") or 0) for key, model in _keyed(installed)}
    in_memory = {key for key, _ in _keyed(loaded)}
    rows = list[Shelved]()
    for need in needs:
        key = model_key(need.model)
        found = ModelState.LOADED if key in in_memory else ModelState.INSTALLED
        state = found if key in sizes else ModelState.MISSING
        rows.append(Shelved(need.model, need.agents, server, state, sizes.get(key)))
    return rows


def model_table(rows: Sequence[Shelved]) -> Table:
    """Return the rows for a terminal; the servers only where there are several."""
    has_servers = len({row.server for row in rows}) > 1
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    table.add_column("agents", justify="right")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    if has_servers:
        table.add_column("server", overflow="fold")
    for row in rows:
        state = Text(row.state, _COLOURS.get(row.state, ""))
        size = decimal(row.size) if row.size else ""
        cells = [Text(plain(row.model)), Text(str(len(row.agents))), Text(size), state]
        table.add_row(*cells, *([Text(row.server)] if has_servers else []))
    return table


def line_of(row: Shelved) -> str:
    """Return a row with tabs between model, number of agents, bytes, state and server, for programs."""
    size = "" if row.size is None else str(row.size)
    return "\t".join((plain(row.model), str(len(row.agents)), size, row.state, row.server))


def _keyed(models: Sequence[Json]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((model_key(str(model["name"])), model) for model in models if model.get("name"))
