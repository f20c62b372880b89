import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.cli.shown_letters import Groups, details_of, json_of, plain, row_of
from bus.envelope import Envelope, dead_letter
from bus.letter import DeadLetter, dead_letter_of, unrouted_letter_of
from bus.message import Message
from schemas import PastAttempt, TaskError
from tests.support.messages import texts, values

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAST = PastAttempt(number=1, host="h-1", error=TaskError(code="timeout", message="slow"), ended_at=NOON)
SENT = Message(b'{"prompt": "x"}', priority=7, timestamp=NOON, reply_to="r", headers={"mine": "yes"})


def letter_of(message: Message = SENT, error: str = "too slow") -> DeadLetter:
    life = Envelope(2, history=(PAST,))
    return dead_letter_of(
        dead_letter(message, "t-1", "exhausted", ("timeout", error), life, (NOON.isoformat(), "h-2")), "worker"
    )


def shown(groups: Groups, width: int = 120) -> list[str]:
    """Return the table's lines below its head, on a terminal so wide."""
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(groups.table(width))
    return captured.get().splitlines()[1:]


def test_groups_tell_the_oldest_and_the_newest() -> None:
    groups = Groups()
    for hour in (13, 11, 12):
        groups.add(replace(letter_of(), failed_at=NOON.replace(hour=hour)))
    groups.add(unrouted_letter_of(Message(b""), "[/nobody]"))
    assert groups.count == 4
    assert [line.split() for line in shown(groups)] == [
        ["[/nobody]", "unrouted", "unknown_agent", "1"],
        ["worker", "exhausted", "timeout", "3", "2026-11-22", "11:00:00Z", "2026-11-22", "13:00:00Z"],
    ]


def test_on_eighty_columns_times_take_two_lines_and_words_stay_whole() -> None:
    groups = Groups()
    groups.add(replace(letter_of(), agent="prompt-injection-guard", code="incomplete_stream"))
    assert [line.split() for line in shown(groups, 80)] == [
        ["prompt-injection-guard", "exhausted", "incomplete_stream", "1", "2026-11-22", "2026-11-22"],
        ["12:00:00Z", "12:00:00Z"],
    ]
    assert all(len(line) <= 80 for line in shown(groups, 80))


def test_an_agent_s_name_that_is_too_long_is_folded_and_nothing_is_cut() -> None:
    groups = Groups()
    groups.add(replace(letter_of(), agent="x" * 60))
    lines = shown(groups, 80)
    assert "".join(line.split()[0] for line in lines if line.startswith("x")) == "x" * 60
    assert "".join(lines).count("2026-11-22") == 2


def test_a_row_is_one_short_line() -> None:
    row = row_of(letter_of(error="one\ntwo " + "x" * 200))
    assert row.startswith("2026-11-22 12:00:00Z  t-1  worker  exhausted/timeout  attempt 2  one two xxx")
    assert row.endswith("x…")
    unrouted = row_of(unrouted_letter_of(Message(b"", correlation_id="c"), "a"))
    assert unrouted.startswith("-          -          c  a  unrouted/unknown_agent")
    assert unrouted.index("c  a") == row.index("t-1")
    assert "poison  attempt" in row_of(replace(letter_of(), reason="poison", code="poison"))


def test_details_tell_the_attempts_the_properties_and_foreign_headers_alone() -> None:
    told = "\n".join(details_of(letter_of()))
    for line in (
        "error      timeout: too slow",
        "failed at  2026-11-22 12:00:00Z",
        "attempt    2",
        "  attempt 1 on h-1, ended 2026-11-22 12:00:00Z: timeout: slow",
        "  priority = 7",
        '  timestamp = "2026-11-22T12:00:00+00:00"',
        '  mine = "yes"',
        "body, 15 bytes",
        '  "prompt": "x"',
    ):
        assert line in told.split("\n")
    assert "x-error" not in told
    assert "x-history" not in told


def test_a_letter_without_a_result_says_what_that_means() -> None:
    told = "\n".join(details_of(unrouted_letter_of(Message(b"", content_type=None), "a")))
    assert "none yet: a replay is the same task, a purge answers it" in told
    assert "failed at" not in told
    assert "properties" not in told


@pytest.mark.parametrize("body", [b"\xff\x00" * 3_000, b"[" * 100_000, b"9" * 5_000])
def test_a_body_that_is_no_json_is_cut_with_its_size(body: bytes) -> None:
    lines = list(details_of(letter_of(replace(SENT, body=body))))
    assert f"body, {len(body):,} bytes" in lines
    assert lines[-1] == "… the first 2,000 bytes; --raw writes all"
    assert len(lines[-2]) <= 8_000


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()), texts, values)
def test_nothing_that_a_terminal_would_obey_is_shown(body: bytes, text: str, value: object) -> None:
    message = replace(SENT, body=body, reply_to=text, headers={text: value, "b": b"\x1b\xff", "d": Decimal(1)})
    letter = replace(letter_of(message), error=text, agent=text, task_id=text, host=text)
    for line in (*details_of(letter), row_of(letter)):
        assert line.isprintable()
        line.encode()
    told = json_of(letter)
    assert (told.isascii(), "\n" in told) == (True, False)
    json.loads(told, parse_constant=pytest.fail)


def test_control_characters_and_halves_of_surrogate_pairs_are_spelt_out() -> None:
    assert plain("a\x1b[2J\n\ud83d ä") == "a\\x1b[2J\\n\\ud83d ä"
