"""The local model server: uvicorn in the running event loop, around the Ollama API."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import structlog
import uvicorn

from agents.local_model.api import Api
from agents.local_model.engine import EngineParams
from agents.local_model.errors import ListenError
from agents.local_model.gate import Gate
from agents.local_model.models import Catalogue
from agents.local_model.residents import Want
from agents.local_model.runner import Runner, start_engine
from agents.local_model.scheduler import Scheduler
from agents.local_model.settings import LocalModelSettings
from agents.local_model.weights import SMOLLM2

log = structlog.get_logger(__name__)

_GRACE_SECONDS: Final = 1
"""What running requests get to end when the server stops; then they are cut."""
_BACKLOG: Final = 2048


class LocalModelServer:
    """The Ollama API over a real small model; `async with`.

    It serves while the block runs, in the event loop that entered it; models run in processes of their own.
    The weights must be there (`ensure_weights`), or come by /api/pull; without them no model is listed.
    It neither prints nor touches signal handlers. Leaving cuts open streams after a second and unloads all models.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        settings: See LocalModelSettings.

    Attributes:
        url: Where it listens, as `http://127.0.0.1:11434`; set once entered.

    Raises:
        SettingsError: An alias points nowhere.
        ListenError: On entering, the address cannot be listened on.
    """

    url: str

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, settings: LocalModelSettings | None = None) -> None:
        self._host = host
        self._port = port
        self._settings = settings or LocalModelSettings()
        self._catalogue = Catalogue(self._settings.aliases)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        listener = listen(self._host, self._port)
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        async with AsyncExitStack() as stack:
            stack.callback(listener.close)
            scheduler = await stack.enter_async_context(self._scheduler())
            app = Api(scheduler, self._catalogue, self._settings).app()
            await stack.enter_async_context(_serving(Gate(app, checks_host=is_loopback(host)), listener))
            self._stack = stack.pop_all()
        self._announce()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        log.info("local_model.stopped", url=self.url)

    def _scheduler(self) -> Scheduler:
        return Scheduler(
            self._start,
            max_loaded=self._settings.max_loaded_models,
            num_parallel=self._settings.num_parallel,
            max_queue=self._settings.max_queue,
            keep_alive=self._settings.keep_alive_seconds,
        )

    async def _start(self, want: Want) -> Runner:
        model = self._catalogue.find(want.name)
        params = EngineParams(
            model=str(SMOLLM2.path(self._settings.model_dir)),
            context=want.num_ctx,
            parallel=self._settings.num_parallel,
            threads=self._settings.threads,
            embeds=model is not None and model.embeds,
        )
        return await start_engine(params)

    def _announce(self) -> None:
        models, slots = [model.name for model in self._catalogue], self._settings.num_parallel
        log.info("local_model.started", url=self.url, models=models, num_parallel=slots)
        for model in self._catalogue:
            if model.is_stand_in:
                log.warning("local_model.stand_in", model=model.name, answered_by=model.answered_by)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ListenError: The address is taken, not ours, or no address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ListenError(f"Cannot listen on {host}:{port}: {error.strerror}. Give another host or port.") from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    return host == "::1" or host.startswith("127.")


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program."""
        yield


@contextlib.asynccontextmanager
async def _serving(app: Gate, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        http="h11",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve([listener]), name="local-model-http")
    try:
        yield
    finally:
        server.should_exit = True
        await serving
