"""Functions that tests submit to a request queue."""

import asyncio


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts = 0

    async def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ConnectionError(f"attempt {self.attempts}")
        return "answer"


async def add(a: int, b: int = 0) -> int:
    """Answer at once."""
    return a + b


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()
