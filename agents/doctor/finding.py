"""Finding: what one check says, how bad that is, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Ok; a warning works for now; broken does not."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of one check, and the remedy where there is something to do."""

    check: str
    level: Level
    what: str
    remedy: str = ""


def ok(check: str, what: str) -> Finding:
    """Return the finding of a check that has nothing to object to."""
    return Finding(check, Level.OK, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    """Return the finding that something should be looked at."""
    return Finding(check, Level.WARNING, what, remedy)


def broken(check: str, what: str, remedy: str) -> Finding:
    """Return the finding that something does not work."""
    return Finding(check, Level.BROKEN, what, remedy)


def exit_code_of(findings: Iterable[Finding]) -> int:
    """Return 0 where all is well, 1 where the worst is a warning, 2 where something is broken."""
    return max((tuple(Level).index(finding.level) for finding in findings), default=0)
