"""Tasks for the samples that can be rewritten: the main file, the class, and tasks in the order to do them."""

from typing import Any

from tests.agents.core.migration.programs import SAMPLES

LOG = SAMPLES / "log-digest" / "app.py"

TASKS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "code-reviewer": (
        "agent.py",
        "CodeReviewerAgent",
        [
            {"type": "review_code", "data": {"code": "x = 1\ny = 2"}},
            {"type": "review_code", "data": {}},
            {"type": "review_many", "data": {"files": ["a.py", "b.txt", "c.py"]}},
            {"type": "sing", "prompt": "la"},
        ],
    ),
    "ticket-triage": (
        "agent.py",
        "TicketTriage",
        [
            {"type": "triage", "id": "t-1", "data": {"subject": "No money"}},
            {"type": "triage", "id": "t-2", "data": {"subject": "no money "}},
            {"type": "triage", "id": "t-3", "data": {"body": "without subject"}},
            {"type": "counts", "prompt": "?"},
            {"type": "reset", "prompt": "!"},
            {"type": "sing", "prompt": "la"},
        ],
    ),
    "log-digest": (
        "app.py",
        "LogDigestAgent",
        [
            {"type": "digest", "data": {"path": str(LOG)}},
            {"type": "disk", "prompt": "?"},
            {"type": "settle", "prompt": "?"},
        ],
    ),
    "meeting-minutes": (
        "app.py",
        "MeetingMinutesAgent",
        [
            {"type": "minutes", "prompt": "We met."},
            {"type": "title", "prompt": "We met."},
            {"type": "sing", "prompt": "la"},
        ],
    ),
    "email_drafter": (
        "agent.py",
        "EmailDrafter",
        [{"type": "draft", "data": {"to": "Ann", "about": "tea"}}, {"type": "subject", "prompt": "tea"}],
    ),
}
