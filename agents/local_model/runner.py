"""One loaded model: the engine's process, and the HTTP client that talks to it.

The only other file of the product that imports httpx is `agents/core/ollama_client.py`. Here it speaks to the
engine's own loopback listener: closing the connection is the one way to cancel llama.cpp in the middle of a prompt.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import structlog

from agents.local_model.engine import EngineParams
from agents.local_model.errors import EngineDiedError, EngineError, ReplyError

log = structlog.get_logger(__name__)

Event = Mapping[str, Any]
"""One object of the engine's stream: `content`, `tokens`, and on the last one `stop`, `stop_type`, `timings`."""

_ENGINE: Final = Path(__file__).with_name("engine.py")
_LOAD_SECONDS: Final = 300.0
"""Ollama's own bound (OLLAMA_LOAD_TIMEOUT)."""
_STOP_SECONDS: Final = 2.0
"""What an engine gets to end by itself before it is killed."""


class Runner(Protocol):
    """One loaded model."""

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""

    async def tokenize(self, text: str) -> list[int]:
        """Return the tokens of `text`; markers such as <|im_end|> are one token."""

    def complete(self, body: Mapping[str, object]) -> AsyncGenerator[Event, None]:
        """Generate; closing the iterator cancels. Raises EngineDiedError and ReplyError."""

    async def embed(self, inputs: Sequence[Sequence[int]], *, normalise: bool) -> list[list[float]]:
        """Return one vector for each token list."""

    async def close(self) -> None:
        """Free the memory."""


class EngineRunner:
    """A runner over an engine process of its own; use `start_engine` to make one."""

    def __init__(self, process: asyncio.subprocess.Process, http: httpx.AsyncClient) -> None:
        self._process = process
        self._http = http
        self._broken = False

    @property
    def alive(self) -> bool:
        """Whether its process still runs, as far as is known: a broken connection shows its end first."""
        return self._process.returncode is None and not self._broken

    @property
    def pid(self) -> int:
        """The engine's process id."""
        return self._process.pid

    async def tokenize(self, text: str) -> list[int]:
        """Return the tokens of `text`; markers such as <|im_end|> are one token."""
        reply = await self._ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        return list(reply["tokens"])

    async def embed(self, inputs: Sequence[Sequence[int]], *, normalise: bool) -> list[list[float]]:
        """Return one vector for each token list, of length one if `normalise`."""
        body = {"content": inputs, "embd_normalize": 2 if normalise else -1}
        return [item["embedding"][0] for item in await self._ask("/embedding", body)]

    async def complete(self, body: Mapping[str, object]) -> AsyncGenerator[Event, None]:
        """Generate; closing the iterator closes the connection, which cancels.

        Raises:
            ReplyError: The engine refused the request.
            EngineDiedError: Its process ended.
        """
        # Progress events give the engine something to write while it reads the prompt: so it sees a closed connection.
        sent = {**body, "stream": True, "return_progress": True}
        try:
            async with self._http.stream("POST", "/completion", json=sent) as reply:
                if reply.is_error:
                    raise refusal(reply.status_code, await reply.aread())
                async for event in _events(reply):
                    yield event
        except httpx.TransportError as error:
            self._broken = True
            raise EngineDiedError from error

    async def close(self) -> None:
        """End the process, by force if it does not end by itself."""
        await self._http.aclose()
        await _end(self._process)

    async def _ask(self, path: str, body: Mapping[str, object]) -> Any:  # any JSON
        try:
            reply = await self._http.post(path, json=body)
        except httpx.TransportError as error:
            self._broken = True
            raise EngineDiedError from error
        if reply.is_error:
            raise refusal(reply.status_code, reply.content)
        return reply.json()


async def start_engine(params: EngineParams, *, load_seconds: float = _LOAD_SECONDS) -> EngineRunner:
    """Load a model in a process of its own, about half a second from a warm disk.

    Args:
        params: What to load.
        load_seconds: A load that takes longer has stalled.

    Raises:
        EngineError: It could not be loaded.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(_ENGINE), json.dumps(params)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in a terminal is for the server, which ends its engines in order
    )
    try:
        address = await _address(process, params["model"], load_seconds)
    except BaseException:
        await _end(process)
        raise
    timeout = httpx.Timeout(None, connect=5.0)
    return EngineRunner(process, httpx.AsyncClient(base_url=address, timeout=timeout, trust_env=False))


def refusal(status: int, body: bytes) -> ReplyError:
    """Pass the engine's error on as the real server does: what it cannot do as its message, else its whole body."""
    text = body.decode(errors="replace")
    if status == httpx.codes.NOT_IMPLEMENTED:
        text = json.loads(text)["error"]["message"]
    return ReplyError(status, text)


async def _address(process: asyncio.subprocess.Process, model: str, seconds: float) -> str:
    assert process.stdout is not None  # noqa: S101 # it was asked for with PIPE
    try:
        line = await asyncio.wait_for(process.stdout.readline(), seconds)
    except TimeoutError as error:
        raise EngineError(f"loading {model} took more than {seconds:g} s") from error
    report = json.loads(line or b'{"error": "its process ended"}')
    if "error" in report:
        raise EngineError(f"model {model} could not be loaded: {report['error']}")
    return str(report["address"])


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 # it was asked for with PIPE
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _events(reply: httpx.Response) -> AsyncIterator[Event]:
    async for line in reply.aiter_lines():
        field, _, data = line.partition(": ")
        if field == "data":
            event = json.loads(data)
            if "error" in event:
                raise ReplyError(500, str(event["error"].get("message", event["error"])))
            if "prompt_progress" not in event:
                yield event
