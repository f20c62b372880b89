from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.core.model.completion import Completion
from agents.core.model.overheard import overheard
from agents.core.model.requests import ChatRequest, GenerateRequest, ModelRequest
from schemas import Usage

ANSWER = Completion("ja", "tinyllama:latest", "stop", Usage(), server="http://a")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (GenerateRequest(prompt="warum?", system="You know."), {"prompt": "warum?", "system": "You know."}),
        (GenerateRequest(prompt="x" * 1001), {"prompt": "x" * 1000 + "... (1001 characters)", "system": None}),
        (
            ChatRequest(messages=[{"role": "user", "content": "für wen?"}]),
            {"messages": '[{"role": "user", "content": "für wen?"}]'},
        ),
    ],
)
async def test_question_and_answer_are_told_and_cut(request_: ModelRequest, told: dict[str, Any]) -> None:
    async def answered(asked: ModelRequest) -> Completion:
        assert asked is request_
        return ANSWER

    with capture_logs() as logs:
        assert await overheard(answered, request_) is ANSWER
    assert logs == [
        {"event": "model.asked", "log_level": "info", **told},
        {
            "event": "model.answered",
            "log_level": "info",
            "model": "tinyllama:latest",
            "url": "http://a",
            "answer": "ja",
        },
    ]
