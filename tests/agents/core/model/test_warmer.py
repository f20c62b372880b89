import pytest
from structlog.testing import capture_logs

from agents.core.model.errors import ModelCircuitOpen, ModelError, ModelNotFound, ModelPoolClosed, ModelUnreachable
from agents.core.model.warmer import AGAIN_SECONDS, warm
from schemas import Priority

pytestmark = pytest.mark.usefixtures("every_level")


class Preloads:
    """Plays one outcome for each call, and then succeeds."""

    def __init__(self, *outcomes: ModelError) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, str, int]] = []
        self.naps: list[float] = []

    async def preload(self, model: str, *, server: str, priority: int) -> None:
        self.asked.append((model, server, priority))
        if self.outcomes:
            raise self.outcomes.pop(0)

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    async def events(self, *models: str) -> list[str]:
        """Warm the models and return what was told."""
        with capture_logs() as logs:
            await warm(models, "http://a", self.preload, self.nap)
        return [entry["event"] for entry in logs]


async def test_models_are_loaded_in_order_behind_all_else() -> None:
    preloads = Preloads()
    assert await preloads.events("a", "b") == ["model.warmed"] * 2
    assert preloads.asked == [(model, "http://a", Priority.BACKGROUND) for model in "ab"]


async def test_a_server_that_is_not_there_is_waited_for() -> None:
    preloads = Preloads(ModelUnreachable("down"), ModelCircuitOpen("open", retry_after=60))
    assert await preloads.events("a") == ["model.warming_put_off"] * 2 + ["model.warmed"]
    assert preloads.naps == [AGAIN_SECONDS, 60]


@pytest.mark.parametrize("error", [ModelNotFound("a"), ModelPoolClosed("closed")])
async def test_a_model_that_cannot_be_loaded_is_told_and_passed_over(error: ModelError) -> None:
    preloads = Preloads(error)
    assert await preloads.events("a", "b") == ["model.not_warmed", "model.warmed"]
    assert preloads.naps == []
