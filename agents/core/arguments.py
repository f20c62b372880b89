"""Refuse a bad constructor argument with a sentence that names field, value and remedy."""

import math


def at_least(field: str, value: float, least: int) -> None:
    """Raise ValueError unless `value` is finite and not below `least`."""
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"{field} is {value!r}: use a number of at least {least}")


def whole_at_least(field: str, value: float, least: int) -> None:
    """Raise ValueError unless `value` is a whole number, not below `least`."""
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{field} is {value!r}: use a whole number of at least {least}")


def positive_or_none(field: str, value: float | None) -> None:
    """Raise ValueError unless `value` is above 0, or None for no limit."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ValueError(f"{field} is {value!r}: use a number of seconds above 0, or None for no limit")
