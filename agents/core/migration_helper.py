"""What moves agents of the first generation over. Run it with a path to print the totals of the migration report."""

import sys
from pathlib import Path

from agents.core.migration.aliases import join_old_bases
from agents.core.migration.factory import create_agent_factory
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.reading import run_migration_report
from agents.core.migration.results import v1_result
from agents.core.migration.v1 import as_v1, v1_config

__all__ = [
    "LegacyAgentWrapper",
    "as_v1",
    "create_agent_factory",
    "run_migration_report",
    "v1_config",
    "v1_result",
]

# A program that imports its old agents after this module finds their base, however they spell it.
join_old_bases()


def main(arguments: list[str]) -> None:
    """Print the totals for the path that is given, else for the current folder.

    In this module's own folder, where docs/names.md runs it, the agents lie one higher.

    Raises:
        SystemExit: there is nothing at the path.
    """
    try:
        report = run_migration_report(arguments[0] if arguments else agents_folder(Path.cwd()))
    except FileNotFoundError as error:
        raise SystemExit(f"error: {error}") from None
    print(report)  # noqa: T201 - a program of its own


def agents_folder(current: Path) -> Path:
    """Return the folder whose agents are meant in `current`."""
    return current.parent if current == Path(__file__).resolve().parent else current


if __name__ == "__main__":
    main(sys.argv[1:])
