"""Alarms as lines of a screen. Pure."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.text import Text

from agents.cli.shown_letters import plain
from agents.top.alarms import Alarm
from agents.top.tone import Tone

_STYLES = {Tone.BAD: "bold white on #a4262c", Tone.WARN: "bold black on #fabd2f"}


def alarm_lines(alarms: Sequence[Alarm], width: int, *, most: int, spare: int) -> Text:
    """Return up to `most` lines; what is wrong beyond them is counted.

    With `spare` lines more, as many alarms that do not fit into `width` have a second one.
    """
    shown = alarms if len(alarms) <= most else alarms[: most - 1]
    lines = list(_lines(shown, width, spare))
    if len(shown) < len(alarms):
        lines.append(Text(f"  and {len(alarms) - len(shown)} more", style="bold"))
    return Text("\n").join(lines)


def _lines(alarms: Sequence[Alarm], width: int, spare: int) -> Iterator[Text]:
    for alarm in alarms:
        text = plain(str(alarm))
        parts = _two_lines(text, width) if spare and len(text) > width else [text]
        spare -= len(parts) - 1
        for part in parts:
            yield Text(part.ljust(width), style=_STYLES[alarm.tone])


def _two_lines(text: str, width: int) -> list[str]:
    return wrap(text, width, subsequent_indent="  ", max_lines=2, placeholder=" …", break_on_hyphens=False)
