"""/api/pull: fetching the weights while telling how far it is."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from agents.local_model.errors import ReplyError
from agents.local_model.models import Model
from agents.local_model.weights import SMOLLM2, Progress, ensure_weights


class Fetch(Protocol):
    """What brings the weights: `ensure_weights`."""

    def __call__(self, directory: Path, /, *, on_progress: Callable[[Progress], None]) -> Coroutine[Any, Any, Path]:
        """Return the file's path."""
        ...


async def pull(
    model: Model | None, directory: Path, fetch: Fetch = ensure_weights
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the status lines of a download; closing the generator stops it.

    Raises:
        ReplyError: 500, there is no such model.
        WeightsError: The download failed.
    """
    yield {"status": "pulling manifest"}
    if model is None:
        raise ReplyError(500, "pull model manifest: file does not exist", media_type="application/json")
    steps: asyncio.Queue[Progress | None] = asyncio.Queue()
    fetching = asyncio.create_task(fetch(directory, on_progress=steps.put_nowait), name="local-model-pull")
    fetching.add_done_callback(lambda _: steps.put_nowait(None))
    try:
        while (step := await steps.get()) is not None:
            yield _layer(step)
        fetching.result()
    finally:
        fetching.cancel()
        await asyncio.wait({fetching})
    yield _layer(Progress("unpacking", SMOLLM2.size, SMOLLM2.size))
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        yield {"status": status}


def _layer(step: Progress) -> dict[str, Any]:
    return {
        "status": f"pulling {SMOLLM2.sha256[:12]}",
        "digest": f"sha256:{SMOLLM2.sha256}",
        "total": step.total,
        "completed": min(step.completed, step.total),
    }
