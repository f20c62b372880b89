"""Tracing a whole process: set up, and ended within a bound. A provider is set once, so each has a process."""

import json
import socket
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agents.core.exit_codes import ExitCode, exit_code_of
from agents.core.settings import SettingsError, load_settings
from agents.core.tracing.batches import END_SECONDS
from agents.core.tracing.choice import Choice, Exporter
from agents.core.tracing.export import exporting
from agents.core.tracing.extra import ExtraMissingError
from agents.core.tracing.traced import traced
from tests.support.log_lines import logged
from tests.support.program import Program, ended
from tests.support.spans import read_spans
from tests.support.tiny_http import TinyHttp

TRACED = """
import time
from agents.core.log import configure_logging
from agents.core.settings import load_settings
from agents.core.tracing.traced import traced
from bus.tracing import Kind, tracing
configure_logging()
with traced(load_settings(host_name="vm-1"), "service"):
    with tracing().span("ours", Kind.INTERNAL, dict):
        from opentelemetry import trace
        with trace.get_tracer("theirs").start_as_current_span("theirs"):
            pass
    began = time.monotonic()
print(time.monotonic() - began)
print(tracing().ids)
"""

AFTERWARDS = """
with tracing().span("for nobody", Kind.INTERNAL, dict):
    print(dict(tracing().ids))
"""

EMBEDDED = (
    """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
own = TracerProvider(shutdown_on_exit=False)
trace.set_tracer_provider(own)
"""
    + TRACED
    + """
print(trace.get_tracer_provider() is own)
"""
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def ran(code: str, **env: str) -> Program:
    """Run a program to its good end."""
    status, run = await ended(sys.executable, "-c", code, env=env)
    assert status == 0, run.err
    return run


async def test_a_collector_gets_the_spans_of_ours_and_of_agents_with_who_made_them() -> None:
    async with TinyHttp(OK) as collector:
        own = {"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=lab"}
        run = await ran(TRACED, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **own)
    (resource,) = ExportTraceServiceRequest.FromString(collector.bodies[0]).resource_spans
    told = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert (told["service.name"], told["service.instance.id"], told["deployment.environment.name"]) == (
        "mine",
        "vm-1",
        "lab",
    )
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert spans["theirs"].parent_span_id == spans["ours"].span_id
    assert collector.request_lines == ["POST /v1/traces HTTP/1.1"]
    assert run.out.splitlines()[-1] == "{}"


async def test_a_collector_that_never_answers_holds_up_the_end_no_longer_than_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run = await ran(TRACED, SUTAZAI_TRACING="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert "tracing.spans_lost" in run.err
    assert END_SECONDS <= float(run.out.splitlines()[0]) < END_SECONDS + 5


async def test_the_console_gets_one_line_for_each_span_beside_the_log() -> None:
    run = await ran(TRACED, SUTAZAI_TRACING="console")
    lines = [json.loads(line) for line in run.err.splitlines()]
    assert [line.get("name") or line["event"] for line in lines] == ["tracing.started", "theirs", "ours"]
    assert lines[1]["resource"]["attributes"]["service.name"] == "service"


async def test_a_program_keeps_the_provider_that_it_has_set(tmp_path: Path) -> None:
    run = await ran(EMBEDDED, SUTAZAI_TRACING=f"file:{tmp_path / 'spans.jsonl'}")
    assert run.out.splitlines()[-1] == "True"
    assert "tracing.provider_kept" in run.err
    assert not (tmp_path / "spans.jsonl").exists()


TWICE = """
import sys
from contextlib import ExitStack
from agents.core.settings import load_settings
from agents.core.tracing.traced import traced
from bus.tracing import Kind, tracing
from opentelemetry import trace
theirs = trace.get_tracer("theirs")

def to(name):
    return traced(load_settings(host_name="vm-1", tracing=f"file:{sys.argv[1]}/{name}"), "service")

def work(name):
    with tracing().span(name, Kind.INTERNAL, dict), theirs.start_as_current_span(f"their {name}"):
        pass

for name in ("first", "second"):
    with to(name):
        work(name)
one, two = ExitStack(), ExitStack()
one.enter_context(to("third"))
two.enter_context(to("fourth"))
work("both")
one.close()
work("one is left")
two.close()
with to("fifth"):
    with to("sixth"):
        work("inner")
    work("outer")
"""


def spans_in(folder: Path) -> dict[str, list[str]]:
    return {path.name: sorted(span.name for span in read_spans(path)) for path in folder.iterdir()}


async def test_one_process_may_be_traced_again_and_twice_at_once_and_no_span_is_lost_or_told_twice(
    tmp_path: Path,
) -> None:
    status, run = await ended(sys.executable, "-c", TWICE, str(tmp_path))
    assert (status, "tracing.provider_kept" in run.err) == (0, False)
    assert spans_in(tmp_path) == {
        "first": ["first", "their first"],
        "second": ["second", "their second"],
        "third": [],
        "fourth": ["both", "one is left", "their both", "their one is left"],
        "fifth": ["outer", "their outer"],
        "sixth": ["inner", "their inner"],
    }


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),  # less than a batch
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"),
        ("OTEL_PYTHON_TRACER_PROVIDER", "nonsense"),
    ],
)
async def test_a_variable_of_opentelemetry_that_is_wrong_is_a_warning(variable: str, value: str) -> None:
    ours = TRACED.replace("trace.get_tracer", "trace.NoOpTracerProvider().get_tracer")
    run = await ran(ours, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **{variable: value})
    assert "tracing.off" in run.err
    assert "tracing.started" not in run.err


def test_a_wrong_variable_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "many")
    settings = load_settings(tracing=f"file:{tmp_path / 'spans.jsonl'}")
    with logged("info") as lines, traced(settings, "service"):
        pass  # a file that nobody closes is a warning, and so an error here
    (line,) = lines.of("tracing.off")
    assert "OTEL_BSP_MAX_QUEUE_SIZE = 'many' is no number of spans" in line["reason"]


def test_what_is_asked_for_and_not_done_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    settings = load_settings(tracing="otlp")
    with logged("info") as lines, pytest.raises(ZeroDivisionError), traced(settings, "service"):
        raise ZeroDivisionError
    (line,) = lines.of("tracing.ignored")
    assert (line["level"], line["reason"].split(":")[0]) == ("warning", "OTEL_EXPORTER_OTLP_PROTOCOL = 'grpc'")


async def test_after_the_last_block_no_spans_are_made_for_nobody(tmp_path: Path) -> None:
    run = await ran(TRACED + AFTERWARDS, SUTAZAI_TRACING=f"file:{tmp_path / 'spans.jsonl'}")
    assert run.out.splitlines()[-1] == "{}"


def test_an_exporter_of_the_variables_that_is_none_of_ours_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with logged("info") as lines, traced(load_settings(), "service"):
        pass
    (line,) = lines.read_all()
    assert (line["event"], line["level"]) == ("tracing.off", "warning")
    assert "is none of otlp, console and none" in line["reason"]


def test_without_the_extra_our_own_setting_is_refused_and_the_variables_of_all_programs_are_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    told = "traces are asked for and OpenTelemetry is not installed: pip install 'sutazai-agents[otel]'"
    with logged("info") as lines, traced(load_settings(), "service"):
        pass
    assert [line["reason"] for line in lines.of("tracing.off")] == [told]
    with pytest.raises(ExtraMissingError) as caught, traced(load_settings(tracing="otlp"), "service"):
        pass
    assert (str(caught.value), exit_code_of(caught.value)) == (told, ExitCode.USAGE)


def test_a_file_that_cannot_be_written_is_named() -> None:
    choice = Choice(Exporter.FILE, is_own=True, path=Path("/nowhere/spans.jsonl"))
    told = r"setting tracing = 'file:/nowhere/spans.jsonl': it cannot be written \(No such file or directory\)"
    with pytest.raises(SettingsError, match=told), exporting(choice, "service", "vm-1"):
        pass
