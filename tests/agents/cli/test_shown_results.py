from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from agents.cli.shown_results import answer_of, cost_of, is_told, lines_of
from schemas import TaskError, TaskResult, TaskStatus, Usage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def result(value: object = "yes", **fields: Any) -> TaskResult:
    given = {"task_id": "t-1", "agent": "worker", "status": TaskStatus.COMPLETED, "timestamp": NOON} | fields
    return TaskResult(result=value, **given)


def shown(of: TaskResult, width: int | None = None) -> list[str]:
    return [line.plain for line in lines_of(of, width)]


def test_a_result_is_one_line_with_its_date_in_utc() -> None:
    assert shown(result(), 80) == ["2026-11-22 12:00:00Z completed worker t-1 0.0 s  yes"]


def test_on_a_narrow_terminal_the_answer_has_a_line_of_its_own_cut_to_it() -> None:
    lines = shown(result("[bold]word " * 50, task_id="9" * 32), 80)
    assert lines[0] == f"2026-11-22 12:00:00Z completed worker {'9' * 32} 0.0 s"
    assert lines[1].startswith("  [bold]word [bold]word ")
    assert lines[1].endswith("…")
    assert [cell_len(line) <= 80 for line in lines] == [True, True]


def test_without_a_terminal_a_result_is_one_line_however_long() -> None:
    (line,) = shown(result("word " * 50, task_id="9" * 32))
    assert line.endswith("word word…")


def test_nothing_that_a_terminal_would_obey_is_shown() -> None:
    (line,) = shown(result("\x1b[2J", task_id="a~1"))
    assert line.endswith("a~1 0.0 s  \\x1b[2J")


def test_an_error_is_shown_in_the_place_of_an_answer() -> None:
    failed = result(None, status=TaskStatus.FAILED, error=TaskError(code="x", message="no\nluck"))
    assert shown(failed)[0].endswith("failed    worker t-1 0.0 s  no luck")


def test_a_task_s_cost_tells_model_time_and_speed_where_they_are_known() -> None:
    usage = Usage(tokens_out=48, generation_time=2.0)
    told = cost_of(result(model="tiny", processing_time=2.14, usage=usage))
    assert told == "completed  tiny  2.1 s  48 tokens  24.0 tokens/s"
    assert cost_of(result()) == "completed  0.0 s"
    assert cost_of(result(usage=Usage())) == "completed  0.0 s"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (" yes\n", "yes", True),
        ("yes", {"response": "yes"}, True),
        ('{"a":1}', {"a": 1}, True),
        ('{"a": 2}', {"a": 1}, False),
        ("ye", "yes", False),
        ("[" * 100_000, ["x"], False),
    ],
    ids=["space", "response", "layout", "value", "cut", "deep"],
)
def test_a_text_says_all_of_a_result_or_not(text: str, value: object, expected: bool) -> None:
    assert is_told(text, result(value)) is expected


def test_what_is_no_text_is_shown_as_json() -> None:
    assert answer_of(result(["ä"])) == '[\n  "ä"\n]'
