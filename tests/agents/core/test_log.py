"""One stream of lines with one format: ours, and those of the standard library's logging."""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from agents import BaseAgentV2, Host
from agents.core.circuit_breaker import CircuitBreaker
from agents.core.log import LogFormat, configure_logging
from agents.core.migration_helper import LegacyAgentWrapper
from schemas import TaskMessage
from tests.support.agent_world import agent_world, connected_client, memory_url, settings_for
from tests.support.log_lines import logged
from tests.support.tripping import trip

TASK_FIELDS = {"task", "agent", "attempt", "host"}


def test_lines_are_json_with_a_level_and_the_traceback_as_one_text() -> None:
    with logged("warning") as lines:
        log = structlog.get_logger("x")
        log.info("not.shown")
        log.error("shown", field=1, exc_info=ValueError("inner"))
    (line,) = lines.read_all()
    assert (line["event"], line["level"], line["field"]) == ("shown", "error", 1)
    assert line["exception"] == "ValueError: inner"
    assert line["timestamp"].endswith("Z")


def test_text_may_be_asked_for_where_there_is_no_terminal() -> None:
    with logged("info", LogFormat.TEXT) as lines:
        structlog.get_logger("x").info("host.started", agents=2)
    assert lines.getvalue().split()[1:] == ["[info", "]", "host.started", "agents=2"]


def test_json_may_be_asked_for_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_logging("info", LogFormat.JSON)
    structlog.get_logger("x").info("host.started")
    line = json.loads(terminal.getvalue())
    assert line["event"] == "host.started"
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC


def test_what_goes_through_logging_has_the_same_format_and_level() -> None:
    with logged("info") as lines:
        theirs = logging.getLogger("their.library")
        theirs.debug("not heard")
        theirs.info("got %d of %s", 3, "http://u:secret@host")
        theirs.log(35, "between warning and error")
        try:
            int("broken")
        except ValueError:
            theirs.exception("it failed")
    told = [(line["level"], line["logger"], line["message"]) for line in lines.of("program.logged")]
    assert told == [
        ("info", "their.library", "got 3 of http://***@host"),
        ("warning", "their.library", "between warning and error"),
        ("error", "their.library", "it failed"),
    ]
    assert lines.read_all()[-1]["exception"].endswith("'broken'")


class Untellable:
    def __str__(self) -> str:
        raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("text", "argument", "told", "fault"),
    [
        ("%d things", "secret", "%d things", "TypeError"),
        ("%(name)s of %(size)d", {"secret": 1}, "%(name)s of %(size)d", "KeyError"),
        ("got %s", Untellable(), "got %s", "RuntimeError"),
        (Untellable(), "secret", "Untellable", "RuntimeError"),
    ],
)
def test_a_record_that_cannot_be_told_breaks_nothing_and_is_told_without_its_arguments(
    text: str, argument: object, told: str, fault: str
) -> None:
    with logged("info") as lines:
        logging.getLogger("their.library").warning(text, argument)
    (line,) = lines.of("program.logged")
    assert (line["message"], line["fault"], line["level"]) == (told, fault, "warning")
    assert "secret" not in lines.getvalue()


def test_libraries_that_write_passwords_and_prompts_never_speak() -> None:
    with logged("debug") as lines:
        for name in ("aiormq.connection", "aio_pika.exchange", "httpx", "httpcore.http11"):
            logging.getLogger(name).error("StartOk secret")
        logging.getLogger("asyncio").debug("Using selector")
    assert [line["logger"] for line in lines.read_all()] == ["asyncio"]
    with logged("info") as lines:
        logging.getLogger("asyncio").error("Task exception was never retrieved")
    assert lines.getvalue() == ""


def test_a_later_level_takes_the_place_of_an_earlier_one_and_no_line_is_told_twice() -> None:
    with logged("debug") as lines:
        configure_logging("warning")
        logging.getLogger("their.library").info("not heard")
        logging.getLogger("their.library").warning("once")
    assert [line["message"] for line in lines.read_all()] == ["once"]


def test_lines_go_where_standard_error_is_at_the_time() -> None:
    with logged("info") as before:
        log = structlog.get_logger("x")
        log.info("first.line")
        with contextlib.redirect_stderr(StringIO()) as then:
            log.info("second.line")
    assert ([line["event"] for line in before.read_all()], '"second.line"' in then.getvalue()) == (["first.line"], True)


def test_a_program_that_has_set_up_logging_keeps_it_and_its_debug_level_holds() -> None:
    with logged("info") as lines:
        logging.root.handlers[:] = [own := logging.StreamHandler(StringIO())]
        logging.root.setLevel(logging.DEBUG)
        configure_logging("info")
        logging.getLogger("their.library").info("theirs")
        structlog.get_logger("x").debug("request.queued")
        assert logging.root.handlers == [own]
    assert [line["event"] for line in lines.read_all()] == ["request.queued"]
    assert own.stream.getvalue() == "theirs\n"


ALONE = """
from agents.core.circuit_breaker import CircuitBreaker
CircuitBreaker(1, 10).acquire().failure()
print("answer")
"""


def test_a_part_that_is_used_alone_keeps_out_of_the_programs_answers() -> None:
    ended = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True, timeout=50)
    assert ended.stdout == "answer\n"
    assert [line.split()[4] for line in ended.stderr.splitlines()] == ["breaker.opened"]


class Talker(BaseAgentV2):
    """Speaks on every way there is, within a task."""

    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:
        self.logger.info("talker.spoke", where="logger")
        logging.getLogger("talker").info("standard")
        await asyncio.to_thread(logging.getLogger("talker").info, "thread")
        await asyncio.create_task(self._later(), name="later")
        return task.data

    async def _later(self) -> None:
        structlog.get_logger("talker").info("talker.spoke", where="child")


async def test_each_line_within_a_task_bears_its_id_agent_attempt_and_host() -> None:
    with logged("info") as lines:
        async with agent_world(Talker(name="talker")) as world:
            first, second = [await world.client.ask("talker", data=n, timeout=10) for n in range(2)]
    spoken = [line for line in lines.read_all() if line["event"] in ("talker.spoke", "program.logged", "task.ended")]
    assert [line["task"] for line in spoken] == [first.task_id] * 5 + [second.task_id] * 5
    assert {(line["agent"], line["attempt"], line["host"]) for line in spoken} == {("talker", 1, "host-1")}


async def test_at_info_a_task_that_goes_well_is_one_line_and_the_hosts_own_lines_bear_no_task() -> None:
    with logged("info") as lines:
        async with agent_world(Talker(name="talker")) as world:
            await asyncio.gather(*(world.client.ask("talker", data=n, timeout=30) for n in range(50)))
    ours = [line for line in lines.read_all() if line["event"] not in ("talker.spoke", "program.logged")]
    of_tasks = [line["event"] for line in ours if TASK_FIELDS & {"task", "attempt"} & line.keys()]
    assert of_tasks == ["task.ended"] * 50
    assert len(ours) - len(of_tasks) < 10


def test_what_all_tasks_share_does_not_speak_for_the_one_that_moved_it() -> None:
    with logged("info") as lines, bound_contextvars(task="order-17"):
        structlog.get_logger("x").info("task.raised")
        trip(CircuitBreaker(2, 10))
    assert [(line["event"], line.get("task")) for line in lines.read_all()] == [
        ("task.raised", "order-17"),
        ("breaker.opened", None),
    ]


class OldAgent:
    def process_task(self, task: dict[str, object]) -> dict[str, object]:
        logging.getLogger("old").info("from the old thread")
        return {"id": task["id"]}


async def test_old_code_in_its_thread_speaks_for_its_task() -> None:
    with logged("info") as lines:
        agent = await asyncio.to_thread(LegacyAgentWrapper, OldAgent, name="old")
        settings = settings_for(memory_url())
        async with connected_client(settings) as client, Host([agent], settings):
            result = await client.ask("old", data=1, timeout=10)
    (line,) = lines.of("program.logged")
    assert (line["task"], line["agent"], line["message"]) == (result.task_id, "old", "from the old thread")
