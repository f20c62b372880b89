"""The routes over models that cannot be loaded."""

from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from agents.local_model.api import Api
from agents.local_model.errors import EngineError
from agents.local_model.models import Catalogue
from agents.local_model.residents import Want
from agents.local_model.runner import Runner
from agents.local_model.scheduler import Scheduler
from agents.local_model.settings import LocalModelSettings
from agents.local_model.weights import SMOLLM2


@pytest.mark.parametrize(
    ("fault", "sentence", "event"),
    [
        (EngineError("model x: no memory"), "model x: no memory", "request.failed"),
        (ZeroDivisionError("secret"), "internal error", "request.crashed"),
    ],
)
async def test_a_load_that_fails_is_logged_and_answered_with_500(
    fault: Exception, sentence: str, event: str, tmp_path: Path
) -> None:
    async def start(_: Want) -> Runner:
        raise fault

    SMOLLM2.path(tmp_path).write_bytes(b"")
    async with Scheduler(start) as scheduler:
        app = Api(scheduler, Catalogue({}), LocalModelSettings(model_dir=tmp_path)).app()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            with capture_logs() as logs:
                reply = await client.post("/api/generate", json={"model": "smollm2", "prompt": "Hi"})
    assert (reply.status_code, reply.json()) == (500, {"error": sentence})
    assert event in [entry["event"] for entry in logs]
