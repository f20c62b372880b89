"""What a process writes to its log, taken as text: all of it, also what libraries say."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agents.core.log import LogFormat, configure_logging


class Lines(io.StringIO):
    """A standard error that is no terminal."""

    def read_all(self) -> list[dict[str, Any]]:
        """Return the lines as objects, where they are JSON."""
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event."""
        return [line for line in self.read_all() if line["event"] == event]


@contextmanager
def logged(level: str, style: LogFormat = LogFormat.JSON) -> Iterator[Lines]:
    """Set up logging as a host does, in a process where nobody else has, and give what is written in the block."""
    lines = Lines()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", lines)
        patch.setattr(logging.root, "handlers", [])
        before = logging.root.level
        configure_logging(level, style)
        try:
            yield lines
        finally:
            logging.root.setLevel(before)
