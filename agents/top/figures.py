"""Figures as they stand in narrow columns. Pure."""

import math
from collections.abc import Sequence
from typing import Final

NONE: Final = "-"
"""What is not known."""

BARS: Final = "▁▂▃▄▅▆▇█"

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_EXACT, _MILLION = 100_000, 1_000_000
"""Counts from here on are told in thousands and in millions, so that they take five characters."""


def count_text(count: int | None) -> str:
    """Return a count in at most five characters up to a billion: `99999`, `100k`, `12M`."""
    if count is None:
        return NONE
    if count < _EXACT:
        return str(count)
    return f"{count // 1000}k" if count < _MILLION else f"{count // _MILLION}M"


def speed_text(speed: float | None) -> str:
    """Return a figure with one decimal, `12.3`, or without one from 1000 on."""
    return NONE if speed is None else f"{speed:.1f}" if speed < 1000 else f"{speed:.0f}"  # noqa: PLR2004 - five characters


def span_text(seconds: float | None) -> str:
    """Return a span in at most six characters: `0.4s`, `59s`, `2m05s`, `3h10m`, `5d02h`."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if seconds < 10:  # noqa: PLR2004 - where a tenth matters
        return f"{max(0.0, seconds):.1f}s"
    whole = int(seconds)
    for unit, letter, part, its_letter in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "m"), (_MINUTE, "m", 1, "s")):
        if whole >= unit:
            return f"{whole // unit}{letter}{whole % unit // part:02}{its_letter}"
    return f"{whole}s"


def bytes_text(size: int) -> str:
    """Return a size in MiB or GiB: `85M`, `1.2G`."""
    mebibytes = size / (1 << 20)
    return f"{mebibytes:.0f}M" if mebibytes < 1000 else f"{mebibytes / 1024:.1f}G"  # noqa: PLR2004 - four characters


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last `width` values as bars under the highest of them; the newest is at the right end."""
    shown = [value if math.isfinite(value) else 0.0 for value in values[-width:]] if width > 0 else []
    highest = max(shown, default=0.0)
    if highest <= 0:
        return (BARS[0] * len(shown)).rjust(width)
    return "".join(BARS[_level(value / highest)] for value in shown).rjust(width)


def _level(share: float) -> int:
    # Whatever is not nothing stands above the ground line.
    return 0 if share <= 0 else max(1, round(share * (len(BARS) - 1)))
