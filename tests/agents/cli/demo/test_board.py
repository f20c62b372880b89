import io

import pytest
from rich.console import Console

from agents.cli.demo.board import Board
from agents.cli.demo.screen import shown, table_of
from agents.cli.demo.tasks import AGENTS, BAD_TASK_BODY, demo_tasks
from agents.core.catalog import load_catalog
from bus.codec import decode_task
from bus.errors import DecodeError
from bus.message import Message
from schemas import EventKind, TaskEvent, TaskResult, TaskStatus, Usage, now


def result(task_id: str, status: TaskStatus = TaskStatus.COMPLETED, **fields: object) -> TaskResult:
    usage = Usage(queue_wait=1, slot_wait=2, tokens_out=7, model_calls=1)
    return TaskResult.model_validate(
        {"task_id": task_id, "status": status, "processing_time": 5, "usage": usage, "model": "m"} | fields
    )


def event(task_id: str, kind: EventKind) -> TaskEvent:
    return TaskEvent(task_id=task_id, agent="a", kind=kind, host="h")


@pytest.fixture
def board() -> Board:
    board = Board()
    for name in ("one", "two", "three"):
        board.add(name, "an-agent-with-a-long-name-indeed", 9)
    return board


def test_rows_with_a_result_come_first_in_the_order_of_their_results(board: Board) -> None:
    board.note_result(result("three"), "first answer")
    board.note_result(result("one"), "second answer")
    assert [row.task_id for row in board.rows] == ["three", "one", "two"]
    assert not board.is_complete
    board.note_result(result("two", TaskStatus.FAILED, usage=None, model=None), "why")
    assert board.is_complete
    first, _, last = board.rows
    assert (first.wait, first.seconds, first.tokens, first.model, first.answer) == (3, 3, 7, "m", "first answer")
    assert (last.wait, last.seconds, last.tokens, last.model, last.state) == (0, None, 0, "", "failed")


def test_events_move_a_row_until_its_result_and_strangers_change_nothing(board: Board) -> None:
    states = []
    for kind in (EventKind.ACCEPTED, EventKind.STARTED, EventKind.CHUNK, EventKind.RETRYING):
        board.note_event(event("one", kind))
        states.append(board.rows[0].state)
    assert states == ["held", "running", "running", "retrying"]
    board.note_result(result("one"), "answer")
    board.note_result(result("one", TaskStatus.FAILED), "a second one")
    board.note_event(event("one", EventKind.STARTED))
    board.note_event(event("stranger", EventKind.STARTED))
    board.note_result(result("stranger"), "")
    assert (len(board.rows), board.rows[0].state, board.rows[0].answer) == (3, "completed", "answer")


def test_the_table_fits_into_80_columns(board: Board) -> None:
    board.note_result(result("one", model="a-model-with-a-long-name:70b-instruct", processing_time=1234.5), "x")
    board.note_result(result("two", TaskStatus.REJECTED), "x")
    console = Console(file=io.StringIO(), width=80)
    console.print(table_of(board.rows))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    for whole in ("critical", "completed", "rejected", "waiting", "1232.5"):
        assert whole in text


def test_away_from_a_terminal_each_change_is_a_line_and_the_table_comes_last(board: Board) -> None:
    console = Console(file=io.StringIO(), width=80)
    with shown(board, console) as refresh:
        refresh()
        board.note_event(event("one", EventKind.STARTED))
        refresh()
        refresh()
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[:4] == ["one: waiting", "two: waiting", "three: waiting", "one: running"]
    assert len(lines) == 8


def test_on_a_terminal_the_table_is_live(board: Board) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with shown(board, console) as refresh:
        board.note_event(event("one", EventKind.STARTED))
        refresh()
    assert isinstance(console.file, io.StringIO)
    assert "running" in console.file.getvalue()


def test_the_demos_tasks_are_for_agents_of_the_catalogue_and_the_most_urgent_comes_last() -> None:
    tasks = demo_tasks("m")
    assert {task.agent for task in tasks} == set(AGENTS) <= load_catalog().keys()
    assert max(tasks, key=lambda task: task.priority) is tasks[-1]
    assert {task.model for task in tasks} == {"m"}


def test_the_bad_task_is_bad() -> None:
    with pytest.raises(DecodeError, match="neither"):
        decode_task(Message(BAD_TASK_BODY), "senior-engineer", now())
