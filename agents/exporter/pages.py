"""The exporter's pages."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from agents.core.pages.answer import Answer, Page, sentence
from agents.exporter.exporter import Exporter
from bus.alarm import ALARM

PATIENCE_SECONDS: Final = 9.0
"""Prometheus gives a scrape up after ten by default."""


def pages_of(exporter: Exporter) -> Mapping[str, Page]:
    """Return /metrics, and /healthz, which tells whether the exporter hears the fleet."""

    async def metrics() -> Answer:
        return metrics_page(await exporter.page())

    async def health() -> Answer:
        exporter.feel_pulse()
        if exporter.trouble is not None:
            return sentence(exporter.trouble, HTTPStatus.SERVICE_UNAVAILABLE)
        # It hears what there is to hear, and no start of an exporter ends an alarm.
        return sentence(f"ok; {ALARM}" if exporter.is_in_alarm else "ok")

    return {"/metrics": metrics, "/healthz": health}


def metrics_page(text: bytes) -> Answer:
    """Return a page in Prometheus's text format."""
    return Answer(HTTPStatus.OK, text, CONTENT_TYPE_PLAIN_0_0_4)
