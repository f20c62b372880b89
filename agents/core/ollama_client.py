"""OllamaClient: the HTTP API of a model server. The one file that speaks HTTP to Ollama; no retry happens here."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

import httpx

from agents.core.model.completion import Answer, Completion, Embeddings, read_line
from agents.core.model.errors import (
    IncompleteStream,
    ModelError,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
    NotSupported,
    TimeoutPhase,
)
from agents.core.model.ndjson import LineSplitter, parse_object
from agents.core.model.pulling import Pull, PullProgress
from agents.core.model.replies import error_of_reply
from agents.core.model.requests import Json, ModelRequest, encode
from agents.core.model.server_url import parse_url
from agents.core.model.task_scope import OnChunk
from agents.core.model.timeouts import ModelTimeouts
from agents.core.time_limit import time_limit
from schemas import Usage

__all__ = ["OllamaClient", "PullProgress", "Transport"]

Transport = httpx.AsyncBaseTransport
"""How bytes reach the server; tests give an `httpx.MockTransport`."""

DRAIN_SECONDS: Final = 1.0
"""How long to wait for the end of a body whose last line has come. Without its end the connection is not reused."""

_EMPTY_IS_LOAD: Final = "/api/generate"
"""A request without a prompt loads its model, or unloads it with `keep_alive: 0`."""
_EMPTY_IS_LOAD_OF_EMBEDDER: Final = "/api/embeddings"
"""The same for a model that makes no text."""


class OllamaClient:
    """Asks one model server. Meant for one request at a time; each further one at once opens a connection more.

    Answers always stream, so that cancelling the caller closes the connection and frees the server at once.
    A connection is used again once its answer has been read to the end, be that a refusal.
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
            headers={"Content-Type": "application/json"},
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

    async def complete(
        self, request: ModelRequest, on_chunk: OnChunk | None = None, *, is_loaded: bool = False
    ) -> Completion:
        """Ask a model and return its whole answer; `on_chunk` sees the text as it comes.

        Its first line may take `timeouts.load` seconds. `is_loaded` says that the model answered there just now: then
        only `timeouts.first_token`. Whoever says so should stop after a timeout, since the model may be gone.

        Raises:
            ModelError: see model/errors.py. What `on_chunk` raises comes through as it is.
        """
        answer = Answer(request.model, self.safe_url)
        phase = TimeoutPhase.FIRST_TOKEN if is_loaded else TimeoutPhase.LOAD

        def late() -> ModelTimeout:
            return self._timeout(TimeoutPhase.TOTAL, has_begun=answer.has_begun)

        reading = self._lines(request.path, request.to_json(), request.model)
        async with reading as lines, time_limit(self.timeouts.total, late):
            while not answer.is_done and (line := await self._next(lines, phase)) is not None:
                phase = TimeoutPhase.GAP
                text = answer.add(line)
                if text and on_chunk is not None:
                    await on_chunk(text)
        return answer.completion()

    async def embed(
        self,
        model: str,
        inputs: Sequence[str],
        options: Mapping[str, Any] | None = None,
        *,
        dimensions: int | None = None,
        truncate: bool = True,
    ) -> Embeddings:
        """Return one vector for each input, of `dimensions` numbers where the model can give fewer.

        Raises:
            NotSupported: the model generates text; embeddings need a model made for them.
            BadModelRequest: an input is longer than the context, and `truncate` is off.
            ModelError: see model/errors.py.
        """
        body: Json = {"model": model, "input": list(inputs), "options": dict(options or {}), "truncate": truncate}
        body |= {} if dimensions is None else {"dimensions": dimensions}
        reply = read_line(await self._ask("/api/embed", body, TimeoutPhase.TOTAL))
        return Embeddings(reply.embeddings, model, reply.usage(), self.safe_url)

    async def embeddings(self, model: str, prompt: str, options: Mapping[str, Any] | None = None) -> Embeddings:
        """Return one vector by the older endpoint: not of length 1, and none for an empty prompt, which only loads.

        Raises:
            ModelError: as `embed`.
        """
        body = {"model": model, "prompt": prompt, "options": dict(options or {})}
        reply = read_line(await self._ask("/api/embeddings", body, TimeoutPhase.TOTAL))
        return Embeddings((reply.embedding,) if reply.embedding else (), model, reply.usage(), self.safe_url)

    async def preload(
        self, model: str, options: Mapping[str, Any] | None = None, keep_alive: str | float | None = None
    ) -> Usage:
        """Load a model, for text or for embeddings, and return when it is ready.

        `keep_alive` sticks to the runner until it is unloaded.

        Raises:
            ModelError: see model/errors.py.
        """
        body: Json = {"model": model, "options": dict(options or {})}
        body |= {} if keep_alive is None else {"keep_alive": keep_alive}
        try:
            reply = await self._ask(_EMPTY_IS_LOAD, body, TimeoutPhase.LOAD)
        except NotSupported:
            reply = await self._ask(_EMPTY_IS_LOAD_OF_EMBEDDER, body, TimeoutPhase.LOAD)
        return read_line(reply).usage()

    async def unload(self, model: str) -> None:
        """Ask for the model to be unloaded once its running requests have ended; returns at once."""
        await self._ask(_EMPTY_IS_LOAD, {"model": model, "keep_alive": 0}, TimeoutPhase.CONTROL)

    async def pull(self, model: str, on_progress: Callable[[PullProgress], None] | None = None) -> None:
        """Download a model to the server. It may take as long as it likes while it makes progress.

        Raises:
            ModelNotFound: the registry does not have it, or cannot be reached.
            ModelError: see model/errors.py.
        """
        pull = Pull(model)
        async with self._lines("/api/pull", {"model": model, "stream": True}, model) as lines:
            while (line := await self._next(lines, TimeoutPhase.PULL)) is not None:
                progress = pull.add(line)
                if on_progress is not None:
                    on_progress(progress)
        pull.check_finished()

    async def tags(self) -> list[Json]:
        """Return the installed models as `/api/tags` has them: name, size, digest, details, ..."""
        return await self._models("/api/tags")

    async def ps(self) -> list[Json]:
        """Return the loaded models as `/api/ps` has them: name, expires_at, size_vram, context_length, ..."""
        return await self._models("/api/ps")

    async def show(self, model: str) -> Json:
        """Return what the server knows of a model: parameters, template, details, capabilities, ..."""
        return await self._ask("/api/show", {"model": model})

    async def version(self) -> str:
        """Return the server's version. The cheapest question there is."""
        return str((await self._ask("/api/version")).get("version", ""))

    async def _models(self, path: str) -> list[Json]:
        return [model for model in (await self._ask(path)).get("models") or () if isinstance(model, dict)]

    async def _ask(self, path: str, body: Json | None = None, phase: TimeoutPhase = TimeoutPhase.CONTROL) -> Json:
        """Return the one JSON object that answers; without a body, it is a GET."""
        method, content = ("GET", None) if body is None else ("POST", encode(body))
        async with time_limit(self.timeouts.seconds(phase), lambda: self._timeout(phase)):
            with self._errors_mapped():
                async with self._response(method, path, content) as response:
                    await response.aread()
        _check(response, response.content, (body or {}).get("model", ""))
        return parse_object(response.content)

    @asynccontextmanager
    async def _response(self, method: str, path: str, content: bytes | None) -> AsyncIterator[httpx.Response]:
        """Give an answer to be read. If the client was closed meanwhile, its connection is closed here, error or not.

        httpcore forgets a connection that is being opened while its pool closes: nobody else would close it.
        """
        async with self._http.stream(method, path, content=content) as response:
            try:
                yield response
            finally:
                if self._http.is_closed and "network_stream" in response.extensions:
                    await response.extensions["network_stream"].aclose()

    @asynccontextmanager
    async def _lines(self, path: str, body: Json, model: str) -> AsyncIterator[AsyncGenerator[Json, None]]:
        """Give the JSON objects of a streamed answer, and read to its end what was answered, be it with an error."""
        async with aclosing(self._stream(path, encode(body), model)) as lines:
            try:
                yield lines
            except ModelTimeout:
                raise
            except ModelError:
                await _drain(lines)
                raise
            await _drain(lines)

    async def _stream(self, path: str, content: bytes, model: str) -> AsyncGenerator[Json, None]:
        splitter = LineSplitter()
        with self._errors_mapped():
            async with self._response("POST", path, content) as response:
                if response.status_code != HTTPStatus.OK:
                    _check(response, await response.aread(), model)
                async with aclosing(_body(response)) as parts:
                    async for part in parts:
                        for line in splitter.feed(part):
                            yield parse_object(line)
        for line in splitter.rest():
            yield parse_object(line)

    async def _next(self, lines: AsyncGenerator[Json, None], phase: TimeoutPhase) -> Json | None:
        async with time_limit(self.timeouts.seconds(phase), lambda: self._timeout(phase)):
            return await anext(lines, None)

    def _timeout(self, phase: TimeoutPhase, *, has_begun: bool = True) -> ModelTimeout:
        return self.timeouts.error(phase, self.safe_url, has_begun=has_begun)

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
    """Read an answer to its end, so that its connection can be used again; an end that fails costs no more."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while await anext(lines, None) is not None:
                pass
    except (TimeoutError, ModelError):
        return


def _check(response: httpx.Response, body: bytes, model: str) -> None:
    if response.status_code != HTTPStatus.OK:
        raise error_of_reply(response.status_code, body, model=model, retry_after=response.headers.get("retry-after"))
