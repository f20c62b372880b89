"""`sutazai migrate`: agents of the first generation, looked at and rewritten."""

from pathlib import Path
from typing import Annotated

import typer

from agents.cli.console import out, write
from agents.cli.shown_letters import plain
from agents.cli.shown_migration import agents_table, fault_lines
from agents.core.exit_codes import ExitCode
from agents.core.migration.extra import require_extra
from agents.core.migration.kinds import Kind
from agents.core.migration.page import page_of
from agents.core.migration.reading import run_migration_report
from agents.core.migration.report import MigrationReport

Agents = Annotated[
    Path, typer.Argument(metavar="PATH", exists=True, help="The folder that holds the agents, or an agent's file.")
]

_WHAT_IS_ONE = "an agent is a folder with agent.py or app.py, or a file with an agent's class"

migrate = typer.Typer(
    name="migrate",
    help="Agents of the first generation: what each of them needs, and their files rewritten.",
    no_args_is_help=True,
)


@migrate.command()
def report(
    path: Agents,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write all of it as one HTML page.")
    ] = None,
) -> None:
    """Tell what each agent below PATH is and what to do with it next. Nothing is run and nothing is changed.

    Examples:
      sutazai migrate report ./agents

      sutazai migrate report ./agents --html report.html
    """
    found = run_migration_report(path)
    if html is not None:
        _write_page(html, page_of(found))
        typer.echo(plain(f"written to {html}"), err=True)
    if as_json:
        write(found.model_dump_json(indent=2) + "\n")
    elif found.agents or found.troubles:
        _show(found)
    else:
        write(plain(f"no agents found under {path}: {_WHAT_IS_ONE}") + "\n")


@migrate.command()
def rewrite(
    path: Agents,
    to_write: Annotated[
        bool, typer.Option("--write/--diff", help="Change the files, or print the changes and write nothing.")
    ] = False,
) -> None:
    """Rewrite v1 agents to BaseAgentV2, comments and layout kept; what cannot be rewritten is refused with its reason.

    Exit code 9: some were refused. Needs the extra `migrate`.

    Examples:
      sutazai migrate rewrite ./agents/code-reviewer

      sutazai migrate rewrite ./agents --write
    """
    require_extra("libcst")
    from agents.cli.rewriting import Rewriter  # noqa: PLC0415 - an extra

    found = run_migration_report(path)
    folder = path if path.is_dir() else path.parent
    rewriter = Rewriter(folder, to_write=to_write)
    for agent in found.agents:
        if agent.kind in (Kind.V1, Kind.BROKEN):
            rewriter.rewrite(agent.path)
    for trouble in found.troubles:
        typer.echo(plain(f"not read: {trouble}"), err=True)
    typer.echo(rewriter.summary, err=True)
    if rewriter.refused:
        raise typer.Exit(ExitCode.REFUSED)


def _show(found: MigrationReport) -> None:
    if found.agents:
        out.print(agents_table(found))
    lines = list(fault_lines(found))
    if lines:
        write("\n" + "\n".join(lines) + "\n")
    write(f"\n{plain_lines(str(found))}\n")


def plain_lines(text: str) -> str:
    """Return a text of several lines without what a terminal would obey."""
    return "\n".join(plain(line) for line in text.splitlines())


def _write_page(file: Path, page: str) -> None:
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}", param_hint="--html") from error
