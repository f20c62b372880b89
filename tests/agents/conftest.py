"""What the tests of agents share: a bare environment, logging as it was, and one real small model."""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from anyio.from_thread import start_blocking_portal

from agents.local_model import LocalModelServer, LocalModelSettings, ensure_weights

_VARIABLES = ("AMQP_", "RABBITMQ_", "OLLAMA_", "AGENT_", "MAX_", "LOG_LEVEL", "BACKEND_URL", "HEALTH_", "HEARTBEAT_")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the product would read from the environment of whoever runs the tests."""
    for name in os.environ:
        is_ours = name.startswith("SUTAZAI_") and not name.startswith("SUTAZAI_TEST_")
        if is_ours or name.startswith(_VARIABLES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo `configure_logging`, whose stream ends with the test that called it."""
    names = ("aiormq", "aio_pika", "httpx", "httpcore", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="session")
def model_server() -> Iterator[LocalModelServer]:
    """The real small model behind the Ollama API, in a thread of its own, so that any event loop may ask it."""
    settings = LocalModelSettings(threads=1, aliases={"tinyllama": "smollm2:135m", "all-minilm": "smollm2-embed"})
    with start_blocking_portal() as portal:
        portal.call(ensure_weights)
        with portal.wrap_async_context_manager(LocalModelServer(settings=settings)) as running:
            yield running
