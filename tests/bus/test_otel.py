"""Spans of OpenTelemetry: what they tell of errors, and that nothing they are told breaks them."""

import asyncio
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import (  # the names of our own are held to them
    gen_ai_attributes,
    messaging_attributes,
)
from opentelemetry.semconv.attributes import error_attributes, server_attributes

import agents.core.model.spans
import bus.spans
from bus.errors import RetryableError
from bus.otel import MESSAGE_KEPT, OpenTelemetry, product_tracer, usable
from bus.tracing import Kind, tracing
from tests.support.errors import WordlessError
from tests.support.spans import spans_seen

ATTRIBUTE = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.lists(st.text() | st.integers())
TEXT = st.text(st.characters(exclude_categories=()))


class Quoting(RetryableError):
    quotes = True


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (RetryableError("busy at amqp://me:secret@host/"), "retryable", "busy at amqp://***@host/"),
        (Quoting("the answer was: 42"), "retryable", "it quotes the task or the answer: see the result"),
        (KeyError("x"), "KeyError", "'x'"),
        (ValueError("y" * 5_000), "ValueError", "y" * MESSAGE_KEPT),
        (asyncio.CancelledError(), "cancelled", ""),
        (WordlessError(), "WordlessError", "str() of this WordlessError failed"),
    ],
)
def test_an_error_that_leaves_the_block_fails_its_span(error: BaseException, kind: str, text: str) -> None:
    with spans_seen() as spans, pytest.raises(type(error)), tracing().span("work", Kind.CLIENT, dict):
        raise error
    span = spans.one("work")
    assert (span.is_error, span.attributes) == (True, {"error.type": kind})
    told = {"exception.type": type(error).__name__, "exception.message": text}
    assert span.events == (("exception", told),)


def test_a_child_that_fails_and_is_forgiven_fails_no_parent() -> None:
    def fail() -> None:
        with tracing().span("child", Kind.INTERNAL, dict):
            raise KeyError

    with spans_seen() as spans, tracing().span("parent", Kind.INTERNAL, dict):
        with pytest.raises(KeyError):
            fail()
        tracing().current.note({"forgiven": True})
    parent, child = spans.one("parent"), spans.one("child")
    assert (parent.is_error, parent.attributes) == (False, {"forgiven": True})
    assert (child.is_error, child.parent) == (True, parent.id)


def test_the_status_of_a_span_tells_no_secret_and_no_input() -> None:
    with spans_seen() as spans, tracing().span("work", Kind.CONSUMER, dict):
        tracing().current.fail("bug", "[input_value='why?', input_type=str] at amqp://me:secret@host/")
    assert spans.one("work").status == "[input_value=***, input_type=str] at amqp://***@host/"


@given(st.dictionaries(TEXT, ATTRIBUTE | TEXT), TEXT)
@example({"\ud800": True, "": 1}, "text")
def test_whatever_a_span_is_told_it_can_be_exported(attributes: dict[str, object], text: str) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    maker = OpenTelemetry(product_tracer(provider))
    with maker.span(text, Kind.PRODUCER, lambda: attributes) as span:
        span.fail("odd", text)
    (span_sent,) = encode_spans(exporter.get_finished_spans()).resource_spans[0].scope_spans[0].spans
    assert span_sent.SerializePartialToString()
    assert {item.key for item in span_sent.attributes} == usable(attributes).keys() | {"error.type"}


def test_what_no_attribute_can_be_is_left_out() -> None:
    told = {"a": None, "b": 2**63, "c": {"d": 1}, "e": ["x", 1], "f": ["x", "y"], "g": True, "h": 1.5, "i": "\ud800"}
    assert usable(told | {"": 1}) == {"f": ["x", "y"], "g": True, "h": 1.5, "i": "\\ud800"}
    assert math.isnan(usable({"a": math.nan})["a"])


def test_a_wait_begins_in_the_past_and_not_before_there_was_time() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    with spans_seen() as spans:
        tracing().begin("wait", dict, start=began).end()
        tracing().begin("early", dict, start=datetime(1, 1, 1, tzinfo=UTC)).end()
    assert spans.one("wait").start == began.timestamp()
    assert spans.one("early").start == 0


BAD_PROVIDER = """
from opentelemetry import trace
from bus.tracing import Untraced, tracing
import structlog
makers = [tracing() for _ in range(3)]
structlog.get_logger("x").warning("connection.lost")
print([type(maker) is Untraced for maker in makers])
"""


def test_a_provider_that_a_variable_names_and_nobody_has_is_one_warning() -> None:
    environ = {**os.environ, "OTEL_PYTHON_TRACER_PROVIDER": "nonsense"}
    program = (sys.executable, "-c", f"import bus\n{BAD_PROVIDER}")
    ended = subprocess.run(program, env=environ, capture_output=True, text=True, check=True, timeout=50)
    assert ended.stdout == "[True, True, True]\n"
    assert ended.stderr.count("tracing.off") == 1
    assert "connection.lost" in ended.stderr


def test_names_are_those_of_the_conventions_or_begin_with_our_own() -> None:
    modules = (gen_ai_attributes, messaging_attributes, error_attributes, server_attributes)
    known = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    sources = [Path(str(module.__file__)).read_text() for module in (bus.spans, agents.core.model.spans)]
    words = {word for source in sources for word in source.split('"') if word.count(".") and " " not in word}
    names = {word for word in words if word.startswith(("gen_ai.", "messaging.", "server.", "error."))}
    assert names
    assert names - known == set()
    assert {word for word in words - names if not word.startswith(("sutazai.", "\n"))} == set()
