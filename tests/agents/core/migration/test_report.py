"""The migration report: right on all ten samples, and never ended by what lies about in a tree."""

import json
import re
from pathlib import Path

import pytest

from agents.core.migration.findings import Topic
from agents.core.migration.page import page_of
from agents.core.migration.reading import run_migration_report
from agents.core.migration.report import AgentReport
from tests.agents.core.migration.programs import SAMPLES, v1

V2 = "from agents import BaseAgentV2\nclass A(BaseAgentV2):\n    async def process_task(self, task):\n        {}\n"


@pytest.fixture(scope="module")
def samples() -> dict[str, AgentReport]:
    return {agent.name: agent for agent in run_migration_report(SAMPLES).agents}


def only(folder: Path, program: str, name: str = "agent.py") -> AgentReport:
    (folder / name).write_text(program)
    (agent,) = run_migration_report(folder).agents
    return agent


def test_each_sample_is_what_it_is(samples: dict[str, AgentReport]) -> None:
    assert {name: (agent.kind, agent.step, agent.wraps, agent.rewrites) for name, agent in samples.items()} == {
        "code-reviewer": ("v1", "rewrite", True, True),
        "email_drafter": ("v1", "rewrite", True, True),
        "faq-bot": ("v1", "by hand", False, False),
        "glossary-keeper": ("v1", "wrap", True, False),
        "log-digest": ("v1", "rewrite", True, True),
        "meeting-minutes": ("v1", "rewrite", True, True),
        "release-notes": ("v1", "wrap", True, False),
        "status-board": ("service", "leave", False, False),
        "ticket-triage": ("v1", "rewrite", True, True),
        "translator": ("broken", "mend", False, False),
    }


def test_what_is_imported_and_not_here_is_told_and_wrapped_needs_it(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "words.py").touch()
    (tmp_path / "words").mkdir()
    before = """
        import json, not_here.deep
        import beside
        from shared.words import x
        from shared.agent_base import BaseAgent
        from shared import agent_base
        from core.base_agent_v2 import BaseAgentV2
        from . import house
        from not_there import y
        try:
            import not_needed
        except ImportError:
            pass
    """
    (tmp_path / "words" / "beside.py").touch()
    agent = only(tmp_path / "words", v1("", before=before))
    assert (agent.wraps, agent.needs) == (True, ("not_here", "not_there"))
    assert any("not_here is not installed here" in str(each) for each in agent.findings)
    report = run_migration_report(tmp_path / "words")
    assert "needs not_here, not_there" in page_of(report)
    assert "unchanged until then" not in str(report)


@pytest.mark.parametrize(
    ("program", "queue"),
    [
        (v1(""), "words"),
        (V2.format("pass"), "a"),
        (V2.format("pass") + "    def __init__(self):\n        super().__init__(name='x')\n", "x"),
        (V2.format("pass") + "    def __init__(self):\n        super().__init__(name=v1_name('y'))\n", "y"),
        (V2.format("pass") + "    def __init__(self, n):\n        super().__init__(name=n)\n", None),
        (V2.format("pass") + "    def __init__(self, **n):\n        super().__init__(**n)\n", None),
    ],
)
def test_the_report_tells_each_agents_queue(tmp_path: Path, program: str, queue: str | None) -> None:
    (tmp_path / "words").mkdir()
    assert only(tmp_path / "words", program).queue == queue


def test_the_base_of_each_is_told_by_its_full_name(samples: dict[str, AgentReport]) -> None:
    assert {agent.class_name: agent.base for agent in samples.values() if agent.base} == {
        "CodeReviewerAgent": "agent_base.BaseAgent",
        "EmailDrafter": "agent_base.BaseAgent",
        "FaqBot": "agent_base.BaseAgent",
        "GlossaryKeeper": "agent_base.BaseAgent",
        "LogDigestAgent": "agents.agent_base.BaseAgent",
        "MeetingMinutesAgent": "agent_base.BaseAgent",
        "ReleaseNotesAgent": "agent_base.BaseAgent",
        "TicketTriage": "shared.agent_base.BaseAgent",
    }


def test_the_report_tells_which_methods_are_async(samples: dict[str, AgentReport]) -> None:
    told = {method.name: method.is_async for method in samples["meeting-minutes"].methods}
    assert told == {"__init__": False, "process_task": True, "extract": True, "lines_of": False}


def test_a_syntax_error_is_told_with_its_place(samples: dict[str, AgentReport]) -> None:
    (finding,) = samples["translator"].findings
    assert str(finding).startswith("translator/agent.py:14:13: does not compile: Missing parentheses")


def test_what_needs_a_hand_is_told_with_its_line_and_notes_are_apart(samples: dict[str, AgentReport]) -> None:
    bot = samples["faq-bot"]
    assert [(finding.topic, finding.line) for finding in bot.faults] == [
        (Topic.WRAP, 20),
        (Topic.REWRITE, 28),
        (Topic.REWRITE, 31),
        (Topic.REWRITE, 46),
        (Topic.REWRITE, 47),
    ]
    assert [finding.line for finding in bot.findings if finding.topic is Topic.NOTE] == [25, 26, 34, 22]
    assert [finding.line for finding in samples["log-digest"].findings] == [25, 32, 38, 43]


def test_the_totals_read_as_the_first_generation_printed_them() -> None:
    lines = str(run_migration_report(SAMPLES)).splitlines()
    assert lines[:4] == ["Total agents: 10", "V2 ready: 0", "Need attention: 10", "Migration plan:"]
    assert lines[4:6] == [
        "  rewrite, `sutazai migrate rewrite`: 5",
        "    code-reviewer, email_drafter, log-digest, meeting-minutes, ticket-triage",
    ]
    assert lines[-1] == "  7 of these run unchanged until then, with `sutazai run --legacy PATH`"
    assert max(map(len, lines)) <= 80


def test_a_v2_agent_is_ready_and_one_with_a_fault_is_not(tmp_path: Path) -> None:
    ready = only(tmp_path, V2.format("return {'a': await self.query_ollama('x')}"))
    assert (ready.kind, ready.step, ready.findings) == ("v2", "nothing", ())
    assert str(run_migration_report(tmp_path)).endswith(
        "V2 ready: 1\nNeed attention: 0\nMigration plan:\n  nothing to do"
    )
    faulty = only(tmp_path, V2.format("return self.query_ollama('x').strip()"))
    assert (faulty.step, [finding.topic for finding in faulty.findings]) == ("finish", [Topic.V2])
    blocking = only(tmp_path, "import time\n" + V2.format("time.sleep(1)"))
    assert (blocking.step, [finding.topic for finding in blocking.findings]) == ("nothing", [Topic.NOTE])


@pytest.mark.parametrize(
    ("program", "kind", "told"),
    [
        ("", "unknown", "is empty"),
        ("# from agent_base import BaseAgent\n", "unknown", "is empty"),
        ("x = 1\n", "unknown", "defines neither an agent's class nor an HTTP application"),
        ("class A(Other):\n    def process_task(self, task): ...\n", "unknown", "its base Other is no agent's"),
        ("class A:\n    def process_task(self, task): ...\n", "unknown", "its base object is no agent's"),
        ("x = '\xff", "broken", "does not compile"),
    ],
)
def test_a_main_file_without_an_agent_is_named(tmp_path: Path, program: str, kind: str, told: str) -> None:
    agent = only(tmp_path, program)
    assert agent.kind == kind
    assert told in agent.findings[0].message


@pytest.mark.parametrize("made", ["flask.Flask(__name__)", "fastapi.FastAPI()", "aiohttp.web.Application()"])
def test_an_http_application_without_an_agent_is_a_service(tmp_path: Path, made: str) -> None:
    module = made.partition("(")[0].rpartition(".")[0]
    assert only(tmp_path, f"import {module}\napp = {made}\n", "app.py").kind == "service"


def test_another_file_is_an_agent_if_its_class_does_tasks(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text("from agent_base import BaseAgent\nclass House(BaseAgent):\n    pass\n")
    (tmp_path / "notes.py").write_text("x = 1\n")
    (tmp_path / "torn.py").write_text("class House(\n")
    (tmp_path / "worker.py").write_text(v1("def work(self, task): return 1"))
    (tmp_path / "torn_worker.py").write_text("class Worker(\n    def process_task(self):\n")
    found = run_migration_report(tmp_path)
    assert [(agent.name, agent.kind) for agent in found.agents] == [("torn_worker", "broken"), ("worker", "v1")]


def test_the_agent_may_lie_in_the_second_main_file(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("x = 1\n")
    assert only(tmp_path, v1("def work(self, task): return 1"), "app.py").path == "app.py"


def test_the_agent_is_the_class_that_nobody_inherits(tmp_path: Path) -> None:
    after = "class Helper(BaseAgent):\n    pass\nclass Real(Worker):\n    def process_task(self, task): return {}\n"
    assert only(tmp_path, v1("def work(self, task): return 1", after=after)).class_name == "Real"


def test_what_cannot_be_looked_into_is_named_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "lost.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "agent.py").write_bytes(b"x = '\xff'\n")
    found = run_migration_report(tmp_path)
    assert [str(trouble) for trouble in found.troubles] == ["lost.py: cannot be read: No such file or directory"]
    assert [agent.findings[0].place for agent in found.agents] == ["agent.py"]
    with pytest.raises(FileNotFoundError, match="there is nothing at"):
        run_migration_report(tmp_path / "none")


def test_a_name_that_is_not_utf_8_is_told_in_signs(tmp_path: Path) -> None:
    path = tmp_path / "b\udcffd"
    path.mkdir()
    (path / "agent.py").write_text("")
    assert json.loads(run_migration_report(tmp_path).model_dump_json())["agents"][0]["path"] == "b\\xffd/agent.py"


def test_all_of_a_report_is_in_its_json() -> None:
    told = json.loads(run_migration_report(SAMPLES).model_dump_json())
    assert (told["total_agents"], told["v2_ready"], told["need_attention"]) == (10, 0, 10)
    assert told["migration_plan"]["wrap"] == ["glossary-keeper", "release-notes"]
    assert told["agents"][0]["methods"][0] == {"name": "__init__", "line": 18, "is_async": False}


def test_the_page_holds_all_of_it_and_runs_nothing_that_a_file_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)</script>"
    folder.parent.mkdir(exist_ok=True)
    (tmp_path / "a&b").mkdir()
    (tmp_path / "a&b" / "agent.py").write_text(v1("def work(self, task):\n    self.model = '<b>'"))
    (tmp_path / "lost.py").symlink_to(tmp_path / "nowhere")
    page = page_of(run_migration_report(tmp_path))
    assert "a&amp;b/agent.py:" in page
    assert "self.model is read only in v2" in page
    assert "lost.py" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    everything = page_of(run_migration_report(SAMPLES))
    assert all(f">{name}</h2>" in everything for name in ("faq-bot", "translator", "status-board"))
    assert "does not compile" in everything
