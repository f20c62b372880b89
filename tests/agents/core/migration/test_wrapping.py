"""What the wrapper cannot take over from a v1 agent, and what is only worth a note."""

from pathlib import Path

import pytest

from agents.core.migration.findings import Topic
from agents.core.migration.reading import run_migration_report
from tests.agents.core.migration.programs import v1

WORK = "def work(self, task):\n    return 1\n"


def found(folder: Path, program: str, topic: Topic) -> list[str]:
    (folder / "agent.py").write_text(program)
    (agent,) = run_migration_report(folder).agents
    return [finding.message for finding in agent.findings if finding.topic is topic]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (v1(WORK + "def run(self):\n    super().run()"), "run is overridden"),
        (v1(WORK + "def start(self):\n    pass"), "start is overridden"),
        (v1(WORK + "def send_heartbeat(self):\n    pass"), "nothing calls it"),
        (v1(WORK + "def __init__(self, a, b=1, *, c, d=2):\n    pass"), "__init__ needs a, c: give them"),
        (v1(WORK, after="while True:\n    pass"), "a main loop of its own"),
        (v1(WORK, before="import uvicorn", after="uvicorn.run(1)"), "an HTTP server of its own"),
        (v1(WORK, before="from fastapi import FastAPI", after="app = FastAPI()"), "an HTTP server of its own"),
        (v1(WORK, before="import http.server", after="http.server.HTTPServer(1).serve_forever()"), "an HTTP server"),
        ("from agent_base import BaseAgent\nclass Worker(BaseAgent):\n    pass\n", "has no process_task"),
    ],
)
def test_what_the_wrapper_does_not_run_needs_a_hand(tmp_path: Path, program: str, told: str) -> None:
    assert any(told in message for message in found(tmp_path, program, Topic.WRAP))


@pytest.mark.parametrize(
    "methods",
    [
        WORK,
        WORK + "def __init__(self, config_path='x'):\n    super().__init__(config_path)",
        "async def process_task(self, task):\n    while True:\n        return {}",
    ],
)
def test_a_usual_agent_is_wrapped_as_it_is(tmp_path: Path, methods: str) -> None:
    assert found(tmp_path, v1(methods), Topic.WRAP) == []


def test_a_thread_is_a_note(tmp_path: Path) -> None:
    program = v1("def work(self, task):\n    threading.Thread(target=print).start()", before="import threading")
    assert found(tmp_path, program, Topic.WRAP) == []
    assert "a thread of its own" in found(tmp_path, program, Topic.NOTE)[0]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("import time", "time.sleep(1)"),
        ("from time import sleep as rest", "rest(1)"),
        ("import requests", "requests.get('x')"),
        ("import requests as r", "r.Session()"),
        ("import subprocess", "subprocess.check_output('ls')"),
        ("import os", "os.system('ls')"),
        ("from urllib.request import urlopen", "urlopen('x')"),
        ("", "input('?')"),
        ("", "x = [n for n in 'a']\n    for line in open('x'): print(line)"),
        ("", "with open('x') as file:\n        for line in file: print(line)"),
        ("", "with open('x') as file:\n        for n, line in enumerate(file): print(line)"),
    ],
)
def test_a_call_that_would_stop_the_loop_is_a_note(tmp_path: Path, before: str, line: str) -> None:
    program = v1(f"def work(self, task):\n    {line}\n    return 1", before=before)
    (told,) = found(tmp_path, program, Topic.NOTE)
    assert "stops the event loop: " in told


@pytest.mark.parametrize("line", ["self.sleep(1)", "requests = 1", "asyncio.sleep(1)", "for n in range(9): print(n)"])
def test_other_calls_are_none(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, v1(f"def work(self, task):\n    {line}\n    return 1"), Topic.NOTE) == []


def test_what_runs_in_a_thread_or_before_the_loop_stops_nothing(tmp_path: Path) -> None:
    program = v1(
        "def __init__(self):\n    super().__init__()\n    Thread(target=self.beat).start()\n    time.sleep(1)\n"
        "def beat(self):\n    time.sleep(1)\ndef work(self, task):\n    return 1",
        before="import time",
    )
    assert found(tmp_path, program, Topic.NOTE) == []
