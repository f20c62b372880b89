import io
import sys

import pytest

from agents.cli.console import write

SLY = "a\tb\r\n\x1b[2J\x07\x9bä😀"


class Screen(io.StringIO):
    """Standard output that says whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def written(text: str, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(sys, "stdout", screen)
    write(text)
    return screen.getvalue()


def test_a_pipe_gets_a_text_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(SLY, monkeypatch, terminal=False) == SLY


def test_a_terminal_gets_nothing_that_it_would_obey(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(SLY, monkeypatch, terminal=True) == "a\tb\n\\x1b[2J\\x07\\x9bä😀"


def test_what_the_output_cannot_encode_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("half \ud83d", monkeypatch, terminal=False) == "half \\ud83d"
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    write("ä")
    assert narrow.buffer.getvalue() == b"\\xe4"
