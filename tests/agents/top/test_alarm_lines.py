from agents.top.alarm_lines import alarm_lines
from agents.top.alarms import Alarm
from agents.top.tone import Tone

LONG = Alarm(Tone.BAD, "breaker open: s (a)", ": no model server answers: start one there")
SHORT = Alarm(Tone.WARN, "host b")


def lines(*alarms: Alarm, width: int = 40, most: int = 3, spare: int = 3) -> list[str]:
    return [line.rstrip() for line in alarm_lines(alarms, width, most=most, spare=spare).plain.splitlines()]


def test_an_alarm_that_does_not_fit_goes_on_in_a_second_line_where_there_is_room() -> None:
    assert lines(LONG, SHORT) == ["✗ breaker open: s (a): no model server", "  answers: start one there", "! host b"]
    assert lines(LONG, spare=0) == ["✗ breaker open: s (a): no model server answers: start one there"]
    assert len(lines(LONG, LONG, spare=1)) == 3


def test_what_does_not_fit_into_two_lines_ends_in_an_ellipsis() -> None:
    assert lines(LONG, width=25) == ["✗ breaker open: s (a): no", "  model server answers: …"]


def test_alarms_beyond_the_most_are_counted() -> None:
    assert lines(*[SHORT] * 5) == ["! host b", "! host b", "  and 3 more"]
