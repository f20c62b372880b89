"""examples/search_notes.py: notes are embedded once, and the nearest are found."""

from pathlib import Path

import httpx
import pytest

from tests.examples.stage import Stage
from tests.support.scripted_ollama import Json

EXAMPLE = "search_notes.py"
VECTORS = {"Refunds": [1.0, 0.0], "Routers": [0.0, 1.0], "money?": [0.8, 0.6]}


def embed(body: Json) -> httpx.Response:
    vectors = [next(vector for word, vector in VECTORS.items() if word in text) for text in body["input"]]
    return httpx.Response(200, json={"embeddings": vectors, "prompt_eval_count": 3})


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two notes, one of them in a folder of its own, and what is none."""
    folder = tmp_path / "notes"
    (folder / "more").mkdir(parents=True)
    (folder / "refunds.md").write_text("Refunds [all]\n\nIn 14 days.")
    (folder / "more" / "routers.txt").write_text("Routers")
    (folder / "empty.md").write_text("\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return folder


async def test_the_nearest_note_comes_first_and_notes_are_embedded_once(stage: Stage, notes: Path) -> None:
    index = notes / "index.jsonl"
    for asked in (3, 4):
        stage.ollama.script.extend([embed] * 3)
        code, ran = await stage.ran(EXAMPLE, notes, "money?", "--index", index)
        assert (code, ran.err) == (0, "")
        rows = [line.split() for line in ran.out.splitlines()[1:]]
        assert rows == [["0.80", "refunds.md", "Refunds", "[all]"], ["0.60", "more/routers.txt", "Routers"]]
        assert len(stage.ollama.asked("/api/embed")) == asked
    assert len(index.read_text().splitlines()) == 2


async def test_a_model_that_only_writes_text_is_told_in_one_line(stage: Stage, notes: Path) -> None:
    stage.ollama.script.append(httpx.Response(501, json={"error": "This server does not support embeddings."}))
    code, ran = await stage.ran(EXAMPLE, notes, "money?", "--index", notes / "index.jsonl")
    assert code == 6
    assert ran.err.startswith("error: the task ended as failed: ")
    assert "does not support embeddings" in ran.err
    assert ran.err.count("\n") == 1


async def test_a_folder_without_notes_is_told(lone_stage: Stage, tmp_path: Path) -> None:
    code, ran = await lone_stage.ran(EXAMPLE, tmp_path, "money?")
    assert code == 2
    assert "give a folder with .md or .txt files" in ran.err
