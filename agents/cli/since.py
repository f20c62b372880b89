"""Moments as people write and read them on the command line. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)

ALLOWED: Final = "a span such as 90s, 30m, 1h or 2d, or an RFC 3339 time such as 2026-01-31T18:00:00Z"


def since_of(text: str, now: datetime) -> datetime:
    """Return the moment that `text` names: `now` less a span such as `1h`, or an RFC 3339 time with its offset.

    Raises:
        ValueError: it is neither; the sentence says what is allowed.
    """
    span = _SPAN.fullmatch(text)
    try:
        moment = now - timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no moment of the past: give {ALLOWED}") from error
    if moment.utcoffset() is None:
        raise ValueError(f"{text!r} has no time zone: give {ALLOWED}")
    return moment


def moment_text(moment: datetime) -> str:
    """Return a moment to the second, in UTC and marked so."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
