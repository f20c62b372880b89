"""The seam to tracing: what is handed on without OpenTelemetry, and what counts as a trace context."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.message import Message
from bus.otel import OpenTelemetry, product_tracer
from bus.tracing import LONGEST_STATE, NO_SPAN, Kind, Untraced, carrying, origin_of, tracing, using
from tests.support.malformed_properties import ODD_HEADERS

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

HEADER = st.none() | st.booleans() | st.integers() | st.binary() | st.text() | st.lists(st.text())


@pytest.mark.parametrize("parent", [PARENT, f"00-{TRACE}-00f067aa0ba902b7-00", f"cc-{TRACE}-00f067aa0ba902b7-01-more"])
def test_a_valid_traceparent_is_an_origin(parent: str) -> None:
    assert origin_of({"traceparent": parent, "mine": 1}) == {"traceparent": parent}


@pytest.mark.parametrize(
    "parent",
    [
        None,
        7,
        PARENT.encode(),
        "",
        "00-ab",
        PARENT.upper(),
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{TRACE}-00f067aa0ba902b7-01-{'x' * 10_000}",
    ],
)
def test_anything_else_is_none(parent: object) -> None:
    assert origin_of({"traceparent": parent, "tracestate": "a=1"}) is None


def test_a_tracestate_goes_with_its_traceparent_unless_it_is_unusable() -> None:
    whole = {"traceparent": PARENT, "tracestate": "vendor=1,other=2"}
    assert origin_of(whole) == whole
    for bad in (7, "", "ä=1", "a=1\r\nb: 2", "x" * (LONGEST_STATE + 1), b"a=1"):
        assert origin_of({"traceparent": PARENT, "tracestate": bad}) == {"traceparent": PARENT}


@given(parent=HEADER | st.just(PARENT), state=HEADER | st.text(max_size=20).map(lambda text: f"a={text}"))
def test_no_header_fails_the_work_whoever_makes_the_spans(parent: object, state: object) -> None:
    origin = origin_of({"traceparent": parent, "tracestate": state})
    for maker in (Untraced(), OpenTelemetry(product_tracer())):
        with maker.span("work", Kind.CONSUMER, dict, origin=origin):
            assert maker.context.get("traceparent", PARENT) == PARENT


def test_odd_headers_are_no_origin() -> None:
    origins = [origin_of({name: value() if callable(value) else value}) for name, value in ODD_HEADERS]
    assert set(map(repr, origins)) == {"None"}


def test_without_opentelemetry_the_origin_is_handed_on_within_the_block_alone() -> None:
    plain = Message(b"", headers={"mine": 1})
    with using(Untraced()):
        assert carrying(plain) is plain
        with tracing().span("work", Kind.CONSUMER, dict, origin={"traceparent": PARENT, "tracestate": "a=1"}) as span:
            with tracing().span("part", Kind.INTERNAL, dict):
                told = carrying(plain).headers
            span.note({"a": 1})
            span.fail("timeout", "late")
        assert carrying(plain) is plain
        assert (tracing().current, tracing().ids, span.is_recording) == (NO_SPAN, {}, False)
        tracing().begin("wait", dict).end()
    assert told == {"mine": 1, "traceparent": PARENT, "tracestate": "a=1"}


def test_opentelemetry_without_a_provider_hands_the_origin_on_as_well() -> None:
    with using(OpenTelemetry(product_tracer())):
        with tracing().span("work", Kind.CONSUMER, dict, origin={"traceparent": PARENT, "tracestate": "a=1"}) as span:
            told = carrying(Message(b"")).headers
            assert tracing().ids["trace_id"] == TRACE
            assert not span.is_recording
        assert carrying(Message(b"")).headers == {}
    assert told == {"traceparent": PARENT, "tracestate": "a=1"}


def test_the_files_of_the_seam_alone_import_opentelemetry() -> None:
    root = Path(__file__).parent.parent.parent
    sources = [path for name in ("schemas", "bus", "agents") for path in (root / name).rglob("*.py")]
    found = {path for path in sources if re.search(r"^\s*(from|import) opentelemetry", path.read_text(), re.MULTILINE)}
    seam = [
        root / "bus/otel.py",
        *(root / "agents/core/tracing" / f"{n}.py" for n in ("batches", "export", "otlp_file", "provider", "watched")),
    ]
    assert found == set(seam)


IMPORTS = """
import sys
from bus.tracing import Kind, Untraced, tracing
import agents.cli.main
assert not [name for name in sys.modules if name.split(".")[0] == "opentelemetry"], "imported unasked"
assert isinstance(tracing(), Untraced)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
assert isinstance(tracing(), Untraced)
trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("own").start_as_current_span("own"):
    with tracing().span("ours", Kind.INTERNAL, dict) as span:
        assert span.is_recording
        print(tracing().ids["trace_id"] == f"{trace.get_current_span().get_span_context().trace_id:032x}")
"""


def test_the_programs_own_provider_is_used_and_who_has_none_does_not_pay_for_the_import() -> None:
    ended = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False, timeout=50)
    assert (ended.stdout, ended.stderr) == ("True\n", "")
