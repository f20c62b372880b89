"""The routes of the Ollama API."""

import time
from pathlib import Path
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agents.local_model import details
from agents.local_model.answers import Wrap, as_message, as_response, final_line, stream_lines, whole_line
from agents.local_model.embedding import embed
from agents.local_model.errors import LocalModelError, ReplyError
from agents.local_model.generation import generate
from agents.local_model.go_json import parse_body
from agents.local_model.models import Catalogue, Model, full_name
from agents.local_model.options import Options, parse_options
from agents.local_model.pulling import pull
from agents.local_model.replies import NdjsonResponse, error_reply, json_reply, plain_reply
from agents.local_model.residents import Want
from agents.local_model.scheduler import Scheduler
from agents.local_model.settings import LocalModelSettings
from agents.local_model.weights import SMOLLM2
from agents.local_model.wire import (
    EmbedRequest,
    TextRequest,
    parse_chat,
    parse_embed,
    parse_embeddings,
    parse_generate,
)

log = structlog.get_logger(__name__)

API_VERSION: Final = "0.33.0+sutazai"
"""The version of Ollama whose API this is, and who speaks it."""
_NO_EMBEDDINGS: Final = "This server does not support embeddings. Start it with `--embeddings`"
_NO_IMAGES: Final = (
    '{"error":{"code":400,"message":"Multimodal data provided, but model does not support multimodal requests.",'
    '"type":"invalid_request_error"}}'
)


class Api:
    """Answers requests with the models of a scheduler."""

    def __init__(self, scheduler: Scheduler, catalogue: Catalogue, settings: LocalModelSettings) -> None:
        self._scheduler = scheduler
        self._catalogue = catalogue
        self._settings = settings

    def app(self) -> Starlette:
        """Return the ASGI application."""
        gets = {"/": self.root, "/api/version": self.version, "/api/tags": self.tags, "/api/ps": self.processes}
        posts = {
            "/api/show": self.show,
            "/api/generate": self.generate,
            "/api/chat": self.chat,
            "/api/embed": self.embed,
            "/api/embeddings": self.embeddings,
            "/api/pull": self.pull,
        }
        routes = [Route(path, handler) for path, handler in gets.items()]
        routes += [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
        handlers = {LocalModelError: _refused, HTTPException: _unrouted, Exception: _unexpected}
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return app

    async def root(self, _: Request) -> Response:
        """Say that the server is there."""
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        """Tell the version."""
        return json_reply({"version": API_VERSION})

    async def tags(self, _: Request) -> Response:
        """List the installed models."""
        path = self._path
        return json_reply({"models": [details.tag(model, path) for model in self._installed()]})

    async def processes(self, _: Request) -> Response:
        """List the loaded models."""
        now = time.time()
        found = [
            details.process(model, resident.want.num_ctx, resident.expires_at(now))
            for resident in self._scheduler.residents
            if (model := self._catalogue.find(resident.want.name))
        ]
        return json_reply({"models": found})

    async def show(self, request: Request) -> Response:
        """Describe one model."""
        body = parse_body(await request.body(), "ShowRequest")
        name = _required(body.text("model") or body.text("name"))
        return json_reply(details.show(self._find(name, f"model '{full_name(name)}' not found"), self._path))

    async def generate(self, request: Request) -> Response:
        """Continue a prompt."""
        asked = parse_generate(await request.body())
        return await self._text(asked, as_response, "generate")

    async def chat(self, request: Request) -> Response:
        """Answer a chat."""
        asked = parse_chat(await request.body())
        _required(asked.model)
        return await self._text(asked, as_message, "chat")

    async def embed(self, request: Request) -> Response:
        """Turn texts into vectors of length one."""
        asked = parse_embed(await request.body())
        missing = f'model "{asked.model}" not found, try pulling it first' if asked.model else "model '' not found"
        model, options = self._find(asked.model, missing), self._options(asked)
        if not asked.inputs:
            await self._load(model, asked, options)
            return json_reply({"model": asked.model, "embeddings": []})
        _check_embeds(model)
        found = await embed(self._scheduler, model, asked, options, normalise=True)
        durations = {"total_duration": found.total_duration, "load_duration": found.load_duration}
        reply = {"model": asked.model, "embeddings": found.vectors, **durations, "prompt_eval_count": found.tokens}
        return json_reply(reply)

    async def embeddings(self, request: Request) -> Response:
        """Turn one text into a vector, at the older endpoint; not of length one."""
        asked = parse_embeddings(await request.body())
        missing = f'model "{_required(asked.model)}" not found, try pulling it first'
        model, options = self._find(asked.model, missing), self._options(asked)
        if not asked.inputs:
            await self._load(model, asked, options)
            return json_reply({"embedding": []})
        _check_embeds(model)
        found = await embed(self._scheduler, model, asked, options, normalise=False)
        return json_reply({"embedding": found.vectors[0]})

    async def pull(self, request: Request) -> Response:
        """Fetch the weights of a model we know."""
        body = parse_body(await request.body(), "PullRequest")
        name = body.text("model") or body.text("name")
        if not name:
            raise ReplyError(400, "invalid model name")
        lines = pull(self._catalogue.find(name), self._settings.model_dir)
        if body.flag("stream", default=True):
            return NdjsonResponse(await anext(lines), lines)
        async for line in lines:
            last = line
        return json_reply(last)

    async def _text(self, asked: TextRequest, wrap: Wrap, verb: str) -> Response:
        model = self._find(asked.model, f"model '{asked.model}' not found")
        if asked.only_loads and asked.keep_alive == 0:
            # Before anything is asked of the model: one for embeddings is unloaded so as well.
            self._scheduler.expire(model.name)
            return json_reply(final_line(asked.model, wrap, "unload"))
        _check_can(model, asked, verb)
        options = self._options(asked)
        if asked.only_loads:
            await self._load(model, asked, options)
            return json_reply(final_line(asked.model, wrap, "load"))
        if asked.has_images:
            raise ReplyError(400, _NO_IMAGES)
        parts = generate(self._scheduler, model, asked, options)
        if not asked.stream:
            return json_reply(await whole_line(asked, wrap, parts))
        lines = stream_lines(asked, wrap, parts)
        return NdjsonResponse(await anext(lines), lines)

    async def _load(self, model: Model, asked: TextRequest | EmbedRequest, options: Options) -> None:
        async with self._scheduler.hold(Want(model.name, options.num_ctx), asked.keep_alive):
            return

    @property
    def _path(self) -> Path:
        return SMOLLM2.path(self._settings.model_dir)

    def _installed(self) -> list[Model]:
        return list(self._catalogue) if self._path.exists() else []

    def _find(self, name: str, missing: str) -> Model:
        model = self._catalogue.find(name)
        if model is None or model not in self._installed():
            raise ReplyError(404, missing)
        return model

    def _options(self, asked: TextRequest | EmbedRequest) -> Options:
        return parse_options(asked.options, self._settings.context_length)


def _required(name: str) -> str:
    if not name:
        raise ReplyError(400, "model is required")
    return name


def _check_embeds(model: Model) -> None:
    if not model.embeds:
        raise ReplyError(501, _NO_EMBEDDINGS)


def _check_can(model: Model, asked: TextRequest, verb: str) -> None:
    if model.embeds:
        raise ReplyError(400, f'"{asked.model}" does not support {verb}')
    if asked.has_tools:
        raise ReplyError(400, f"{model.name} does not support tools")
    if asked.has_suffix:
        raise ReplyError(400, f"{model.name} does not support insert")
    if asked.thinks:
        raise ReplyError(400, f'"{asked.model}" does not support thinking')


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, ReplyError):
        return error_reply(error.status, error.message, error.media_type)
    log.warning("request.failed", reason=str(error))
    return error_reply(500, str(error))


async def _unrouted(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 # it is registered for nothing else
    sentence = {404: "404 page not found", 405: "405 method not allowed"}.get(error.status_code, error.detail)
    return plain_reply(error.status_code, sentence)


async def _unexpected(_: Request, error: Exception) -> Response:
    log.error("request.crashed", exc_info=error)
    return error_reply(500, "internal error")
