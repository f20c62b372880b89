"""`sutazai models`: which models agents need, and which of them are there."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Annotated

import typer

from agents.cli.chosen_agents import models_of
from agents.cli.console import err, out, write
from agents.cli.needed_models import ModelState, Need, Shelved, line_of, model_table, needs_of, shelved
from agents.cli.options import Config
from agents.cli.pulled_models import pull_models
from agents.cli.selection import All, Categories, Selection, Tiers
from agents.cli.transfer_bars import transfer_bars
from agents.core.exit_codes import ExitCode
from agents.core.model.addresses import server_addresses
from agents.core.model.errors import ModelError
from agents.core.ollama_client import OllamaClient
from agents.core.process import run_process
from agents.core.settings import Settings, SettingsError, load_settings


def models(
    agents: Annotated[
        list[str] | None,
        typer.Argument(metavar="AGENT", help="Names, patterns of names, MODULE:CLASS, or files. Default: all."),
    ] = None,
    everything: All = False,
    category: Categories = None,
    tier: Tiers = None,
    pull: Annotated[bool, typer.Option("--pull", help="Have each model server pull what it does not have.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each model and server.")] = False,
    ollama_url: Annotated[
        str | None, typer.Option("--ollama-url", metavar="URL", help="Default: OLLAMA_URL, else localhost:11434.")
    ] = None,
    config: Config = None,
) -> None:
    """Show the models that agents need, by how many, and whether each model server has them, and has them loaded.

    Exit code 8: a server does not answer, or one of the models is missing in the end.

    Examples:
      sutazai models

      sutazai models "*-optimizer" --category security --pull
    """
    settings = load_settings(config, ollama_url=ollama_url)
    selection = Selection(agents or (), everything, category or (), tier or ())
    needs = needs_of(models_of(Selection(everything=True) if selection.is_empty else selection, settings))

    async def work() -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(client) for client in _clients(settings)]
            desk = _Desk(clients, needs)
            await desk.look()
            if pull:
                await desk.pull()
            desk.tell(as_json=as_json)
            if desk.failures or desk.missing:
                raise typer.Exit(ExitCode.MODEL)

    run_process(work, "error")


class _Desk:
    """The model servers, what they have of the needed models, and what went wrong with them."""

    def __init__(self, clients: Sequence[OllamaClient], needs: Sequence[Need]) -> None:
        self.failures: list[ModelError] = []
        self._clients = clients
        self._needs = needs
        self._rows: dict[OllamaClient, list[Shelved]] = {}

    @property
    def missing(self) -> list[Shelved]:
        """The models that a server does not have."""
        return [row for rows in self._rows.values() for row in _missing(rows)]

    async def look(self) -> None:
        """Ask all servers at once what they have."""
        await asyncio.gather(*map(self._look_at, self._clients))

    async def pull(self) -> None:
        """Have the servers that answered pull what they miss, side by side, and look again."""
        with transfer_bars() as bars:
            wanted = {
                client: [row for row in rows if row.state is ModelState.MISSING] for client, rows in self._rows.items()
            }
            failed = await asyncio.gather(*(pull_models(client, rows, bars) for client, rows in wanted.items()))
        self.failures += [error for errors in failed for error in errors]
        await asyncio.gather(*(self._look_at(client) for client, rows in wanted.items() if rows))

    def tell(self, *, as_json: bool) -> None:
        """Print the models, and on standard error what is wrong."""
        rows = [row for client in self._clients for row in self._rows[client]]
        if out.is_terminal and not as_json:
            out.print(model_table(rows), soft_wrap=False)
        else:
            for row in rows:
                write(f"{json.dumps(asdict(row)) if as_json else line_of(row)}\n")
        for error in self.failures:
            err.print(f"error: {error}", markup=False)
        if self.missing and not self.failures:
            err.print(f"missing: {_names(self.missing)}. The same with --pull fetches what is missing", markup=False)

    async def _look_at(self, client: OllamaClient) -> None:
        try:
            self._rows[client] = shelved(self._needs, client.safe_url, await client.tags(), await client.ps())
        except ModelError as error:
            self.failures.append(error)
            unknown = ModelState.UNKNOWN
            self._rows[client] = [Shelved(need.model, need.agents, client.safe_url, unknown) for need in self._needs]


def _missing(rows: Sequence[Shelved]) -> list[Shelved]:
    return [row for row in rows if row.state is ModelState.MISSING]


def _names(rows: Sequence[Shelved]) -> str:
    return ", ".join(dict.fromkeys(row.model for row in rows))


def _clients(settings: Settings) -> list[OllamaClient]:
    try:
        addresses = server_addresses(settings.ollama_url).values()
    except ValueError as error:
        raise SettingsError(f"setting OLLAMA_URL: {error}") from error
    return [OllamaClient(address, timeouts=settings.model_timeouts) for address in addresses]
