"""The local model server as a process of its own, with room for one model."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Final, Protocol, Self

import httpx

from benchmarks.model_race.workload import MODELS
from tests.support.waiting import wait_until

SUTAZAI: Final = Path(sys.executable).with_name("sutazai")

_LOADED: Final = b'"model.loaded"'
"""Stands once in the log for each load."""


class Server(Protocol):
    """Where models are asked."""

    url: str

    @property
    def loads(self) -> int:
        """Models loaded so far."""

    async def unload_all(self) -> None:
        """Leave no model in memory, and no prompt in a cache."""


class ModelServer:
    """Runs while its block runs. `log` is the file that takes what it says."""

    url: str

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(SUTAZAI, "local-model", "--port", "0", "--log-level", "INFO"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            self.url = await self._address(self._process)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._end()

    @property
    def loads(self) -> int:
        """Models loaded so far."""
        return self._log.read_bytes().count(_LOADED)

    async def unload_all(self) -> None:
        """Leave no model in memory, and no prompt in a cache."""
        async with httpx.AsyncClient(base_url=self.url, timeout=None, trust_env=False) as client:  # noqa: S113 - a busy machine is slow
            for model in MODELS.values():
                (await client.post("/api/generate", json={"model": model, "keep_alive": 0})).raise_for_status()

            async def is_empty() -> bool:
                return not (await client.get("/api/ps")).json()["models"]

            await wait_until(is_empty, what="the server to unload its models")

    async def _address(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None  # noqa: S101 - it was asked for with PIPE
        async for line in process.stdout:
            if found := re.search(r"http://[\w.:]+", line.decode()):
                return found[0]
        raise RuntimeError(f"the local model server did not start; it said: {self._log.read_text()[-500:]}")

    async def _end(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()
