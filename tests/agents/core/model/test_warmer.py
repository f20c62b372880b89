from structlog.testing import capture_logs

from agents.core.model.errors import ModelUnreachable
from agents.core.model.warmer import warm
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import Priority


async def test_each_server_loads_each_model_in_order_and_one_that_fails_is_told() -> None:
    asked: list[tuple[str, str, int]] = []

    async def preload(model: str, *, server: str, priority: int) -> None:
        asked.append((model, server, priority))
        if (model, server) == ("a", "http://one"):
            raise ModelUnreachable("down")

    servers = OllamaConnectionPool("http://one,http://two").servers
    with capture_logs() as logs:
        await warm(["a", "b"], servers, preload)
    assert asked == [
        (model, server, Priority.BACKGROUND) for server in ("http://one", "http://two") for model in ("a", "b")
    ]
    assert [entry["event"] for entry in logs] == ["model.not_warmed", *["model.warmed"] * 3]
