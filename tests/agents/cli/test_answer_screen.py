from typing import Any

import pytest

from agents.cli.answer_screen import AnswerScreen, ResultScreen
from bus.pieces import Begun, Gap, Piece, Restart, Step
from schemas import TaskError, TaskResult, TaskStatus, Usage

FAILED = TaskError(code="timeout", message="slow [/x]")


def result(value: object, **fields: Any) -> TaskResult:
    given = {"task_id": "t", "status": TaskStatus.COMPLETED, "model": "tiny", "processing_time": 1.0} | fields
    return TaskResult(result=value, **given)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    """Show steps and an end on a screen; return what came on standard output, and on standard error."""

    def show(end: TaskResult, *steps: Step, screen: ResultScreen | None = None) -> tuple[str, str]:
        screen = screen or AnswerScreen()
        for step in steps:
            screen.show(step)
        screen.finish(end)
        said = capsys.readouterr()
        return said.out, said.err

    return show


def test_pieces_are_put_together_and_the_cost_follows_on_standard_error(shown: Any) -> None:
    usage = Usage(tokens_out=10, generation_time=0.5)
    out, err = shown(result({"response": "ab"}, usage=usage), Begun(1, "h"), Piece("a", 1), Piece("b", 1))
    assert (out, err) == ("ab\n", "completed  tiny  1.0 s  10 tokens  20.0 tokens/s\n")


def test_a_retry_has_a_mark_of_its_own_and_the_text_begins_anew(shown: Any) -> None:
    out, err = shown(result("ok"), Piece("wro", 1), Restart(2, FAILED, 5.0), Piece("ok", 2))
    assert out == "wro\nok\n"
    told, cost = err.splitlines()
    assert told == "--- the text above is void: it failed: slow [/x]; attempt 2 begins in 5 s"
    assert cost.startswith("completed")


def test_a_retry_before_any_text_makes_nothing_void(shown: Any) -> None:
    out, err = shown(result("ok"), Restart(1), Piece("ok", 1))
    assert out == "ok\n"
    assert err.splitlines()[0] == "--- its host was lost or handed it back; attempt 1 begins anew"


def test_where_pieces_were_lost_the_whole_follows(shown: Any) -> None:
    out, err = shown(result("a b c"), Piece("a ", 1), Gap(1), Piece("c", 1))
    assert out == "a [...]c\na b c\n"
    assert err.splitlines()[0] == "--- the result is not the text above:"


def test_an_answer_that_says_what_was_streamed_is_not_repeated(shown: Any) -> None:
    assert shown(result({"n": 1}), Piece('{"n":1}', 1))[0] == '{"n":1}\n'
    assert shown(result("ends\n"), Piece("ends\n", 1))[0] == "ends\n"
    assert shown(result({"words": 9}), Piece("nine words", 1))[0] == 'nine words\n{\n  "words": 9\n}\n'


def test_an_answer_without_pieces_is_shown_whole(shown: Any) -> None:
    assert shown(result({"n": 1}))[0] == '{\n  "n": 1\n}\n'
    assert shown(result("")) == ("", "completed  tiny  1.0 s\n")


def test_another_end_leaves_the_text_and_says_why(shown: Any) -> None:
    out, err = shown(result(None, status=TaskStatus.EXPIRED, error="too late"), Piece("so f", 1))
    assert (out, err) == ("so f\n", "error: the task ended as expired: too late\n")


def test_a_mark_does_not_stand_within_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    screen = AnswerScreen()
    screen.mark("waits")
    screen.show(Piece("a", 1))
    screen.mark("waits")
    screen.leave()
    assert capsys.readouterr().out == "a\n"


def test_who_waits_for_the_result_sees_retries_and_the_answer_alone(shown: Any) -> None:
    steps = Begun(1, "h"), Piece("x", 1), Restart(2, FAILED, 5.0), Gap(1)
    out, err = shown(result("ok"), *steps, screen=ResultScreen())
    assert (out, err) == ("ok\n", "--- it failed: slow [/x]; attempt 2 begins in 5 s\n")
    assert shown(result("ok"), screen=ResultScreen(as_json=True))[0].startswith('{\n  "task_id": "t"')
