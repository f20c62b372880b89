from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cli.since import moment_text, since_of

NOW = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)


@given(st.integers(0, 30_000), st.sampled_from(["s", "m", "h", "d"]))
def test_a_span_is_that_long_ago(number: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
    assert since_of(f"{number}{unit}", NOW) == NOW - timedelta(seconds=number * seconds)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_rfc_3339_time_is_itself(moment: datetime) -> None:
    assert since_of(moment.isoformat(), NOW) == moment
    assert since_of(moment.isoformat().replace("+00:00", "Z"), NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "h", "1", "1.5h", "-1h", "1 h", "1h30m", "1w", "yesterday", "999999999d", "1٣h", "12:00"]
)
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment of the past: give a span such as 90s, 30m, 1h or 2d, or an RFC"):
        since_of(text, NOW)


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T18:00:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' has no time zone: give a span such as"):
        since_of(text, NOW)


def test_a_moment_is_shown_in_utc_and_marked_so() -> None:
    moment = datetime(2026, 11, 22, 13, 30, 5, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert moment_text(moment) == "2026-11-22 12:30:05Z"
