"""Loading models before anybody asks for them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from agents.core.model.errors import ModelError, ModelPoolClosed, ModelUnavailable
from schemas import Priority

log = structlog.get_logger(__name__)

AGAIN_SECONDS: Final = 5.0
"""Between two tries at a server that is not there yet: hosts often start together with it."""


class Preload(Protocol):
    """`OllamaConnectionPool.preload`."""

    async def __call__(self, model: str, *, server: str, priority: int) -> object:
        """Load a model at a server. Raises ModelError."""


async def warm(models: Sequence[str], server: str, preload: Preload, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Load each model at a server, in order and behind all other requests.

    A server that is not there is waited for; a model that cannot be loaded is told and passed over. The last model
    named is loaded last, and so it is the one that stays where memory is short.
    """
    for model in models:
        try:
            await _until_there(model, server, preload, sleep)
        except ModelError as exc:
            log.warning("model.not_warmed", model=model, url=server, code=exc.code, error=str(exc))
        else:
            log.info("model.warmed", model=model, url=server)


async def _until_there(model: str, server: str, preload: Preload, sleep: Callable[[float], Awaitable[None]]) -> None:
    while True:
        try:
            await preload(model, server=server, priority=Priority.BACKGROUND)
        except ModelPoolClosed:
            raise
        except ModelUnavailable as exc:
            log.info("model.warming_put_off", model=model, url=server, reason=str(exc))
            await sleep(max(exc.retry_after or 0, AGAIN_SECONDS))
        else:
            return
