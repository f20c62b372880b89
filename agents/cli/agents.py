"""`sutazai agents`: what agents there are, what one of them is, and new ones."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agents.cli.agent_page import facts_of, page_of
from agents.cli.agent_table import agent_table, brief_of, line_of, searched
from agents.cli.agent_templates import new_file
from agents.cli.checked_files import checked
from agents.cli.console import err, out, write
from agents.cli.known_catalog import file_of, known_catalog
from agents.cli.options import Config
from agents.cli.selection import Categories, Tiers, fitting
from agents.cli.shown_letters import plain
from agents.core.catalog import CATALOG, load_catalog
from agents.core.exit_codes import ExitCode
from agents.core.settings import load_settings

agents = typer.Typer(
    name="agents",
    help="The agents that are Markdown files: those of the product, and those in the folders of SUTAZAI_AGENTS_PATH.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON for each agent.")]


@agents.command("list")
def list_agents(
    category: Categories = None,
    tier: Tiers = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Only those with all of these words, in any order, in name, category or description."
        ),
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List agents. Off a terminal: name, tier, category and description, with tabs between them.

    Examples:
      sutazai agents list --category security --tier opus

      sutazai agents list --search "metrics logs"
    """
    known = known_catalog(load_settings(config)).agents.values()
    found = searched(fitting(known, category or (), tier or ()), search or "")
    if as_json or not out.is_terminal:
        for agent in found:
            write(f"{json.dumps(brief_of(agent)) if as_json else line_of(agent)}\n")
    elif found:
        for line in agent_table(found, out.width):
            out.print(line)
    if not found:
        err.print("no agent fits", style="yellow")


@agents.command()
def show(
    name: Annotated[str, typer.Argument(help="An agent of the catalogue, or a Markdown file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything as one line of JSON.")] = False,
    config: Config = None,
) -> None:
    """Show what an agent is: model and options in effect, examples to paste, its prompt, the shape of its answers.

    Examples:
      sutazai agents show prompt-injection-guard

      sutazai agents show ./agents/translator.md
    """
    settings = load_settings(config)
    agent = file_of(name, known_catalog(settings))
    if as_json:
        write(f"{json.dumps(facts_of(agent, settings.tiers))}\n")
        return
    for line in page_of(agent, settings.tiers):
        out.print(line, soft_wrap=bool(line.no_wrap) or not out.is_terminal)


@agents.command()
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files, folders. Default: those of the settings, and the catalogue."),
    ] = None,
    config: Config = None,
) -> None:
    """Check agents' files: each fault on a line of its own, and what is there and does nothing. Exit code 2: faults.

    Examples:
      sutazai agents check

      sutazai agents check ./agents translator.md
    """
    report = checked(paths or (*load_settings(config).agents_path, CATALOG))
    for line in report.lines():
        out.print(plain(line), markup=False)
    if report.faults:
        raise typer.Exit(ExitCode.USAGE)


@agents.command()
def new(
    name: Annotated[str, typer.Argument(help="The agent's name: lower-case letters, digits, hyphens.")],
    folder: Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="Where to write it.")] = Path(),
    as_class: Annotated[bool, typer.Option("--class", help="A class in Python in place of a Markdown file.")] = False,
) -> None:
    """Write an agent that runs at once, with comments on what to change. A file that exists is left alone.

    Examples:
      sutazai agents new translator

      sutazai agents new invoice-reader --class
    """
    try:
        made = new_file(name, folder, as_class=as_class)
        made.write()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    out.print(f"{made.path} is written. It runs as it is:\n\n  {made.command}\n", markup=False)
    if name in load_catalog():
        told = f"note: the catalogue has an agent {name} too, and both would take the same tasks: run one of them"
        err.print(told, style="yellow", markup=False)
