"""ModelTimeouts: how long a client waits for what, and why."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTimeouts:
    """Seconds for each part of a request; each is bounded by `total` as well."""

    connect: float = 5.0
    """A server that is there accepts within milliseconds; five seconds allow for a slow name lookup."""
    load: float = 300.0
    """Until the first byte. It covers loading the model and reading the prompt, which takes a 7B model on a slow CPU
    minutes, and must not be short: a client that gives up aborts the load, so impatient clients never get a model."""
    gap: float = 120.0
    """Between two lines of an answer. A token takes at most seconds, but a tool call is held back until it is whole."""
    total: float = 300.0
    """For one try from connecting to the last token. The default is that of docs/names.md (`request_timeout`)."""
    control: float = 10.0
    """For the list of models, the version and the like: they are answered from memory, busy or not."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise ValueError(f"ModelTimeouts.{item.name} is {value}: it must be a number of seconds above 0")


@asynccontextmanager
async def patience(seconds: float, on_end: Callable[[], Exception]) -> AsyncIterator[None]:
    """Raise what `on_end` makes where the block takes longer; a TimeoutError of the block's own stays itself."""
    try:
        async with asyncio.timeout(seconds) as timer:
            yield
    except TimeoutError as exc:
        if timer.expired():
            raise on_end() from exc
        raise
