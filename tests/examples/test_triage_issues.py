"""examples/triage_issues.py: issues from a file or standard input, and a table of what they are."""

import json
from pathlib import Path

from tests.examples.stage import Stage, talking

EXAMPLE = "triage_issues.py"
CSV = "number,title,body\n1,Dark [mode],A wish\n2,Lost rows,All gone\n,What is it?,\n"
FOUND = {
    "Dark": {"kind": "feature", "severity": "minor", "reason": "a wish"},
    "Lost": {"kind": "bug", "severity": "critical", "reason": "data is lost"},
}


def found(prompt: str) -> str:
    """What the model says: something else than was asked for where it knows no answer."""
    return json.dumps(FOUND.get(prompt.removeprefix("Issue: ").split()[0], {"kind": "unheard of"}))


async def test_issues_of_a_csv_are_shown_by_severity_and_what_has_no_answer_last(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "issues.csv").write_text(CSV)
    stage.answers(found, 5)
    code, ran = await stage.ran(EXAMPLE, tmp_path / "issues.csv")
    assert (code, ran.err) == (0, "")
    _, lost, dark, unknown, *_ = [line.split() for line in ran.out.splitlines()]
    assert lost == ["2", "Lost", "rows", "bug", "critical", "data", "is", "lost"]
    assert dark == ["1", "Dark", "[mode]", "feature", "minor", "a", "wish"]
    assert unknown[:4] == ["What", "is", "it?", "failed"]
    asked = {body["format"]["title"] for body in stage.ollama.asked("/api/generate")}
    assert asked == {"Triage"}


async def test_issues_as_json_come_by_standard_input(stage: Stage) -> None:
    stage.answers(found, 1)
    async with talking(stage, EXAMPLE, "-") as (running, stdin):
        stdin.write(json.dumps([{"number": 7, "title": "Lost rows", "labels": []}]).encode())
        stdin.close()
        assert await running.ends() == 0
    assert "7 Lost rows  bug   critical  data is lost" in running.out


async def test_an_issue_without_a_title_is_told_and_nothing_is_sent(lone_stage: Stage, tmp_path: Path) -> None:
    for text in ('[{"titel": "x"}]', "titel\nx\n", "[no JSON"):
        (tmp_path / "issues").write_text(text)
        code, ran = await lone_stage.ran(EXAMPLE, tmp_path / "issues")
        assert code == 2
        assert "error: no issues: " in ran.err.splitlines()[-1]
