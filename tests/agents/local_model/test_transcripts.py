"""Every recorded exchange with the real server, played against ours: same status, type, shape and errors."""

import ast
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

_RECORDS = json.loads((Path(__file__).parents[1] / "core" / "model" / "ollama_transcripts.json").read_text())
_OUR_OWN_WORDS = ("pull model manifest",)
"""Errors whose recorded text names the recording machine's network."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _name(record: dict[str, Any]) -> str:
    return str(record["request"])[:80]


def _content(text: str) -> bytes | None:
    if text == "None":
        return None
    return bytes(ast.literal_eval(text)) if text.startswith("b'") else text.encode()


def _lines(body: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def _shape(line: dict[str, Any]) -> object:
    """The keys of a line; of an error the sentence, which clients match."""
    error = line.get("error")
    if error is None:
        return set(line)
    return next((start for start in _OUR_OWN_WORDS if error.startswith(start)), error)


@pytest.mark.parametrize("record", _RECORDS, ids=_name)
async def test_a_recorded_exchange_has_the_same_status_type_and_shape(
    record: dict[str, Any], http: httpx.AsyncClient
) -> None:
    method, path, content = record["request"].split(" ", 2)
    reply = await http.request(method, path, content=_content(content))
    assert (reply.status_code, reply.headers["content-type"]) == (record["status"], record["content_type"])
    if record["content_type"] == "text/plain":
        assert reply.text == record["body"]
    else:
        wanted, seen = _lines(record["body"]), _lines(reply.text)
        assert _shape(seen[0]) == _shape(wanted[0])
        assert _shape(seen[-1]) == _shape(wanted[-1])
