"""Loading models before anybody asks for them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from agents.core.model.errors import ModelError
from agents.core.model.server import ModelServer
from schemas import Priority

log = structlog.get_logger(__name__)


class Preload(Protocol):
    """`OllamaConnectionPool.preload`."""

    async def __call__(self, model: str, *, server: str, priority: int) -> object:
        """Load a model at a server. Raises ModelError."""


async def warm(models: Sequence[str], servers: Iterable[ModelServer], preload: Preload) -> None:
    """Load each model at each server, in order and behind all other requests; one that fails is only told.

    The last model named is loaded last, and so it is the one that stays where memory is short.
    """
    for server in servers:
        for model in models:
            try:
                await preload(model, server=server.name, priority=Priority.BACKGROUND)
            except ModelError as exc:
                log.warning("model.not_warmed", model=model, url=server.name, code=exc.code, error=str(exc))
            else:
                log.info("model.warmed", model=model, url=server.name)
