"""The pages of a host, by choice: /healthz and /readyz for whoever keeps it alive, /metrics for Prometheus.

None of them asks the broker or a model server.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import structlog

from agents.core.host import Host
from agents.core.pages.answer import Answer, Page, sentence
from agents.core.pages.probes import AgentState, Verdict, liveness, readiness
from agents.core.pages.server import PageServer
from agents.exporter.extra import ExtraMissingError, require_extra

log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 3.0
"""An event loop that does not come round for so long is blocked: a probe is told so, and had better wait longer."""

OPTIONS: Final = "--health-address and --health-port"

VARIABLES: Final = "SUTAZAI_HEALTH_ADDRESS and SUTAZAI_HEALTH_PORT"
"""What chooses the same for an agent's own program."""


@asynccontextmanager
async def open_pages(host: Host, options: str = OPTIONS) -> AsyncIterator[str | None]:
    """Serve a host's pages within the block, where its settings name a port; yield their address without a path.

    To be opened before the host is: its start may take minutes, and whoever watches it wants to know that it lives.
    `options` are those that choose address and port, for the error's sentence.

    Raises:
        SettingsError: nothing can listen there.
    """
    address, port = host.settings.health_address, host.settings.health_port
    if port is None:
        yield None
        return
    async with PageServer(pages_of(host), address, port, patience=PATIENCE_SECONDS, options=options) as server:
        log.info("pages.open", host=host.name, url=server.url)
        yield server.url


def pages_of(host: Host) -> Mapping[str, Page]:
    """Return the pages by path."""

    async def alive() -> Answer:
        return _answer(liveness(host.failed_watch))

    async def ready() -> Answer:
        agents = [AgentState(consumer.agent, consumer.state, consumer.reason) for consumer in host.consumers]
        return _answer(readiness(host.reporter.stage, host.broker.links, agents))

    return {"/healthz": alive, "/readyz": ready, "/metrics": _metrics_of(host)}


def _answer(verdict: Verdict) -> Answer:
    return sentence(verdict.why, HTTPStatus.OK if verdict.is_good else HTTPStatus.SERVICE_UNAVAILABLE)


def _metrics_of(host: Host) -> Page:
    try:
        require_extra()
    except ExtraMissingError as error:
        return _without_extra(str(error))
    from agents.exporter.host_metrics import HostMetrics  # noqa: PLC0415 - an extra
    from agents.exporter.pages import metrics_page  # noqa: PLC0415 - an extra

    metrics = HostMetrics(host.name, host.reporter, host.consumers)

    async def page() -> Answer:
        return metrics_page(metrics.page())

    return page


def _without_extra(told: str) -> Page:
    async def page() -> Answer:
        return sentence(told, HTTPStatus.NOT_IMPLEMENTED)

    return page
