"""The error of a file that describes no agent. It stands apart from what reads files: every program must know it."""

from collections.abc import Iterable
from pathlib import Path


class AgentFileError(Exception):
    """A file is no agent. The text names the file and, for each fault, the key, its value and the remedy.

    `notes` are what else stands there and does nothing: a misspelt key may be the reason of a fault.
    """

    def __init__(self, path: Path, *faults: str, notes: Iterable[str] = ()) -> None:
        super().__init__(f"{path}: {'; '.join(faults)}")
        self.path = path
        self.faults = faults
        self.notes = tuple(notes)
