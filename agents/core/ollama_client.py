"""OllamaClient: the HTTP API of a model server. The one file that imports httpx; no retry happens here."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import httpx

from agents.core.model.completion import Answer, Completion, Embeddings, read_line
from agents.core.model.errors import (
    IncompleteStream,
    ModelError,
    ModelNotFound,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
    TimeoutPhase,
)
from agents.core.model.ndjson import LineSplitter
from agents.core.model.replies import error_of_reply
from agents.core.model.requests import Json, ModelRequest
from agents.core.model.server_url import parse_url
from agents.core.model.task_scope import OnChunk
from agents.core.model.timeouts import ModelTimeouts, patience
from schemas import Usage

Transport = httpx.AsyncBaseTransport
"""How bytes reach the server; tests give an `httpx.MockTransport`."""

DRAIN_SECONDS: Final = 1.0
"""How long to wait for the end of a body whose last line has come. Without its end the connection is not reused."""

_EMPTY_IS_LOAD: Final = "/api/generate"
"""A generate request without a prompt loads its model, or unloads it with `keep_alive: 0`."""


@dataclass(frozen=True, slots=True)
class PullProgress:
    """One step of a pull. Bytes are 0 in steps that download nothing."""

    status: str
    completed: int = 0
    total: int = 0


class OllamaClient:
    """Asks one model server. Meant for one request at a time; each further one at once opens a connection more.

    Answers always stream, so that cancelling the caller closes the connection and frees the server at once.
    A proxy of the environment is used for distant servers alone, never for this machine, private addresses and
    bare host names. Every method raises a ModelError, and nothing of httpx.
    """

    def __init__(
        self, base_url: str, *, timeouts: ModelTimeouts | None = None, transport: Transport | None = None
    ) -> None:
        """Prepare a client; nothing is connected before the first request.

        Raises:
            ValueError: `base_url` is no http address.
        """
        url = parse_url(base_url)
        self.safe_url = url.address
        self.timeouts = timeouts or ModelTimeouts()
        self._http = httpx.AsyncClient(
            base_url=url.address,
            auth=url.credentials,
            timeout=httpx.Timeout(None, connect=self.timeouts.connect),
            transport=transport,
            trust_env=not url.is_near,
            verify=url.may_use_tls,  # reading the certificate authorities blocks the event loop for 24 ms
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"OllamaClient({self.safe_url!r})"

    async def close(self) -> None:
        """Close the connection. Idempotent."""
        await self._http.aclose()

    async def complete(self, request: ModelRequest, on_chunk: OnChunk | None = None) -> Completion:
        """Ask a model and return its whole answer; `on_chunk` sees the text as it comes.

        Raises:
            ModelError: see model/errors.py. What `on_chunk` raises comes through as it is.
        """
        answer = Answer(request.model)
        lines = self._lines(request.path, request.to_json(), model=request.model)
        async with patience(self.timeouts.total, lambda: self._total_timeout(answer)), aclosing(lines):
            while not answer.is_done and (line := await self._next(lines, answer)) is not None:
                text = answer.add(line)
                if text and on_chunk is not None:
                    await on_chunk(text)
            await _drain(lines)
        return answer.completion()

    async def embed(self, model: str, inputs: Sequence[str], options: Mapping[str, Any] | None = None) -> Embeddings:
        """Return one vector for each input.

        Raises:
            NotSupported: the model generates text; embeddings need a model made for them.
            ModelError: see model/errors.py.
        """
        body = {"model": model, "input": list(inputs), "options": dict(options or {})}
        reply = read_line(await self._ask("POST", "/api/embed", body, model=model, seconds=self.timeouts.total))
        return Embeddings(reply.embeddings, model, reply.usage())

    async def preload(
        self, model: str, options: Mapping[str, Any] | None = None, keep_alive: str | float | None = None
    ) -> Usage:
        """Load a model and return when it is ready. `keep_alive` sticks to the runner until it is unloaded.

        Raises:
            ModelError: see model/errors.py.
        """
        body: Json = {"model": model, "options": dict(options or {})}
        body |= {} if keep_alive is None else {"keep_alive": keep_alive}
        reply = await self._ask("POST", _EMPTY_IS_LOAD, body, model=model, seconds=self.timeouts.load)
        return read_line(reply).usage()

    async def unload(self, model: str) -> None:
        """Ask for the model to be unloaded once its running requests have ended; returns at once."""
        body = {"model": model, "keep_alive": 0}
        await self._ask("POST", _EMPTY_IS_LOAD, body, model=model, seconds=self.timeouts.load)

    async def pull(self, model: str, on_progress: Callable[[PullProgress], None] | None = None) -> None:
        """Download a model to the server. It may take as long as it likes while it makes progress.

        Raises:
            ModelNotFound: the registry does not have it, or cannot be reached.
            ModelError: see model/errors.py.
        """
        status = ""
        async with aclosing(self._lines("/api/pull", {"model": model, "stream": True}, model=model)) as lines:
            while (line := await self._next_step(lines)) is not None:
                if "error" in line:
                    raise ModelNotFound(model, f"pulling it failed: {line['error']}")
                status = str(line.get("status", ""))
                if on_progress is not None:
                    on_progress(PullProgress(status, line.get("completed", 0), line.get("total", 0)))
        if status != "success":
            raise IncompleteStream(f"the pull of {model!r} ended unfinished at {status!r}")

    async def tags(self) -> list[Json]:
        """Return the installed models as `/api/tags` has them: name, size, digest, details, ..."""
        return await self._models("/api/tags")

    async def ps(self) -> list[Json]:
        """Return the loaded models as `/api/ps` has them: name, expires_at, size_vram, context_length, ..."""
        return await self._models("/api/ps")

    async def show(self, model: str) -> Json:
        """Return what the server knows of a model: parameters, template, details, capabilities, ..."""
        return await self._ask("POST", "/api/show", {"model": model}, model=model)

    async def version(self) -> str:
        """Return the server's version. The cheapest question there is."""
        return str((await self._ask("GET", "/api/version")).get("version", ""))

    async def _models(self, path: str) -> list[Json]:
        return [model for model in (await self._ask("GET", path)).get("models") or () if isinstance(model, dict)]

    async def _ask(
        self, method: str, path: str, body: Json | None = None, *, model: str = "", seconds: float | None = None
    ) -> Json:
        """Return the one JSON object that answers."""
        limit = seconds or self.timeouts.control
        async with patience(limit, lambda: self._timeout(TimeoutPhase.FIRST_TOKEN, limit)):
            with self._errors_mapped():
                response = await self._http.request(method, path, json=body)
        _check(response, response.content, model)
        return _object(response.content)

    async def _lines(self, path: str, body: Json, *, model: str) -> AsyncGenerator[Json, None]:
        """Yield the JSON objects of a streamed answer."""
        splitter = LineSplitter()
        with self._errors_mapped():
            async with self._http.stream("POST", path, json=body) as response:
                if response.status_code != HTTPStatus.OK:
                    _check(response, await response.aread(), model)
                async with aclosing(_body(response)) as parts:
                    async for part in parts:
                        for line in splitter.feed(part):
                            yield _object(line)
        for line in splitter.rest():
            yield _object(line)

    async def _next(self, lines: AsyncGenerator[Json, None], answer: Answer) -> Json | None:
        phase, seconds = TimeoutPhase.FIRST_TOKEN, self.timeouts.load
        if answer.has_begun:
            phase, seconds = TimeoutPhase.GAP, self.timeouts.gap
        async with patience(seconds, lambda: self._timeout(phase, seconds)):
            return await anext(lines, None)

    async def _next_step(self, lines: AsyncGenerator[Json, None]) -> Json | None:
        # Checking the hash of a large file is one silent step, so the longest patience applies to each.
        seconds = self.timeouts.load
        async with patience(seconds, lambda: self._timeout(TimeoutPhase.GAP, seconds)):
            return await anext(lines, None)

    def _total_timeout(self, answer: Answer) -> ModelTimeout:
        phase = TimeoutPhase.TOTAL if answer.has_begun else TimeoutPhase.FIRST_TOKEN
        return self._timeout(phase, self.timeouts.total)

    def _timeout(self, phase: TimeoutPhase, seconds: float) -> ModelTimeout:
        what = {
            TimeoutPhase.FIRST_TOKEN: "sent nothing",
            TimeoutPhase.GAP: "fell silent in mid-answer",
            TimeoutPhase.TOTAL: "did not finish",
        }[phase]
        return ModelTimeout(f"the model server at {self.safe_url} {what} for {seconds:g} s", which=phase)

    @contextmanager
    def _errors_mapped(self) -> Iterator[None]:
        """Turn what httpx raises into ours."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as exc:
            reason = str(exc) or f"no connection within {self.timeouts.connect:g} s"
            raise ModelUnreachable(
                f"no model server answers at {self.safe_url} ({reason}): start Ollama there, or set OLLAMA_URL"
            ) from exc
        except httpx.HTTPError as exc:
            raise ModelServerError(
                f"the connection to the model server at {self.safe_url} broke: {str(exc) or type(exc).__name__}"
            ) from exc


async def _body(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    try:
        async for part in response.aiter_bytes():
            yield part
    except httpx.HTTPError as exc:
        reason = str(exc) or type(exc).__name__
        raise IncompleteStream(f"the connection to the model server broke in mid-answer: {reason}") from exc


async def _drain(lines: AsyncGenerator[Json, None]) -> None:
    """Read a finished answer to its end, so that its connection can be used again; an end that fails costs no more."""
    try:
        async with patience(DRAIN_SECONDS, TimeoutError):
            while await anext(lines, None) is not None:
                pass
    except (TimeoutError, ModelError):
        return


def _check(response: httpx.Response, body: bytes, model: str) -> None:
    if response.status_code != HTTPStatus.OK:
        raise error_of_reply(response.status_code, body, model=model, retry_after=response.headers.get("retry-after"))


def _object(text: bytes) -> Json:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise ModelServerError("the model server's answer is no JSON: is OLLAMA_URL the address of an Ollama?") from exc
    if not isinstance(value, dict):
        raise ModelServerError(f"the model server's answer is a JSON {type(value).__name__} instead of an object")
    return value
