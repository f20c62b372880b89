"""The rewrite of many files as a command does it: diffs to standard output, everything else to standard error."""

from pathlib import Path

import typer

from agents.cli.console import write
from agents.cli.shown_letters import plain
from agents.core.migration.findings import Spot
from agents.core.migration.lineage import Lineages
from agents.core.migration.rewrite.rewriting import Refused, Rewritten, rewrite_file


class Rewriter:
    """Rewrites files below a folder one by one, and counts what became of them.

    Args:
        folder: what the files' names are relative to.
        to_write: change the files; else print the changes as diffs.
    """

    def __init__(self, folder: Path, *, to_write: bool) -> None:
        self._folder = folder
        self._to_write = to_write
        self._lineages = Lineages(folder.resolve().parent)
        self.rewritten = 0
        self.refused = 0

    @property
    def summary(self) -> str:
        """One line that tells the counts."""
        done = f"{self.rewritten} rewritten" if self._to_write else f"{self.rewritten} can be rewritten"
        rest = "" if self._to_write or not self.rewritten else "; --write does it"
        return f"{done}, {self.refused} refused{rest}"

    def rewrite(self, name: str) -> None:
        """Rewrite one file, or print how it would change, or why it is refused."""
        outcome = rewrite_file(self._folder.resolve() / name, self._lineages)
        match outcome:
            case Rewritten():
                self._take(name, outcome)
            case Refused(reasons=reasons):
                self._refuse(name, reasons)

    def _take(self, name: str, outcome: Rewritten) -> None:
        if self._to_write:
            try:
                outcome.write()
            except OSError as error:
                self._refuse(name, (Spot(line=1, message=f"cannot be written: {error.strerror}"),))
                return
            typer.echo(plain(f"rewritten: {self._folder / name}"), err=True)
        else:
            write(outcome.diff((self._folder / name).as_posix().lstrip("/")))
        self.rewritten += 1
        for spot in outcome.notes:
            typer.echo(plain(f"note: {self._folder / name}:{spot.line}: {spot.message}"), err=True)

    def _refuse(self, name: str, reasons: tuple[Spot, ...]) -> None:
        self.refused += 1
        for spot in reasons:
            typer.echo(plain(f"refused: {self._folder / name}:{spot.line}: {spot.message}"), err=True)
