"""One file from v1 to v2: what becomes of it, and never a file that does not compile."""

import os
import stat
import tempfile
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import libcst as cst

from agents.core.migration.awaiting import unawaited
from agents.core.migration.findings import Spot
from agents.core.migration.lineage import Generation, Lineages, classes_of
from agents.core.migration.rewrite.changes import CannotChange, changed
from agents.core.migration.rewrite.plan import plan_of
from agents.core.migration.source import Source, Unreadable, decoded, parsed, read_source
from agents.core.migration.syntax import Surroundings


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file that can become v2; nothing is written yet."""

    path: Path
    before: bytes
    after: bytes
    notes: tuple[Spot, ...] = ()

    def diff(self, name: str) -> str:
        """Return the change as `diff -u` has it, the file under the name that is given."""
        before, after = (_lines(decoded(content)) for content in (self.before, self.after))
        return "".join(unified_diff(before, after, f"a/{name}", f"b/{name}"))

    def write(self) -> None:
        """Put it in the file's place, in one step: whoever reads meanwhile sees the old one or the new one.

        The file keeps its mode; a link stays a link, and what it leads to is written.

        Raises:
            OSError: the folder or the file cannot be written. The file is then as it was.
        """
        target = self.path.resolve()
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(self.after)
            Path(name).chmod(stat.S_IMODE(target.stat().st_mode))
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@dataclass(frozen=True, slots=True)
class Refused:
    """A v1 agent that a person has to move; `reasons` say where and why."""

    path: Path
    reasons: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A file that holds no v1 agent."""

    path: Path


Rewriting = Rewritten | Refused | LeftAlone


def rewrite_file(path: Path, lineages: Lineages) -> Rewriting:
    """Work out what becomes of one file."""
    source = read_source(path)
    if isinstance(source, Unreadable):
        return Refused(path, (Spot(line=source.line or 1, message=source.reason),))
    plan = plan_of(source, lineages)
    if plan is None:
        return LeftAlone(path)
    if plan.refused:
        return Refused(path, plan.refused)
    before = path.read_bytes()
    try:
        after = changed(before, plan)
        text = decoded(after)
        reasons = tuple(_faults(Source(path, text, parsed(text)), lineages))
    except CannotChange as error:
        reasons = (Spot(line=error.line, message=str(error)),)
    except (cst.ParserSyntaxError, SyntaxError, RecursionError) as error:
        reasons = (Spot(line=1, message=f"the file cannot be rewritten as it is laid out: {error}"),)
    return Refused(path, reasons) if reasons else Rewritten(path, before, after, plan.notes)


def _lines(text: str) -> list[str]:
    """Return the lines as `diff` counts them: ended by a line feed and nothing else, the last one perhaps by a mark."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, f"{last}\n\\ No newline at end of file\n"] if last else lines


def _faults(after: Source, lineages: Lineages) -> list[Spot]:
    """Read the outcome as a stranger's file: it must be v2 throughout, with every query awaited."""
    around = Surroundings(after.tree)
    faults = []
    for node in classes_of(after.tree):
        lineage = lineages.lineage(after, node)
        if lineage is None:
            continue
        if lineage.generation is Generation.V1:
            faults.append(
                Spot(line=node.lineno, message=f"{node.name} would stay v1: its base is imported in a way of its own")
            )
        faults += unawaited(node, around)
    return faults
