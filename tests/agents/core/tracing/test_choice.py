"""Where spans go: the setting first, then OpenTelemetry's own variables."""

from pathlib import Path

import pytest

from agents.core.settings import SettingsError, load_settings
from agents.core.tracing.choice import (
    DEFAULT_ENDPOINT,
    Choice,
    Exporter,
    ExporterUnknown,
    choice_of,
    endpoint_of,
    ignored_by,
)

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
COLLECTOR = Choice(Exporter.OTLP, is_own=False)


@pytest.mark.parametrize(
    ("setting", "choice"),
    [
        ("otlp", Choice(Exporter.OTLP, is_own=True)),
        ("console", Choice(Exporter.CONSOLE, is_own=True)),
        ("file:spans/a:b.jsonl", Choice(Exporter.FILE, is_own=True, path=Path("spans/a:b.jsonl"))),
        ("none", None),
    ],
)
def test_the_setting_wins_over_all_variables(setting: str, choice: Choice | None) -> None:
    environ = {**ENDPOINT, "OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}
    assert choice_of(setting, environ) == choice


@pytest.mark.parametrize(
    ("environ", "choice"),
    [
        ({}, None),
        (ENDPOINT, COLLECTOR),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, COLLECTOR),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, COLLECTOR),
        ({"OTEL_TRACES_EXPORTER": " Zipkin, console "}, Choice(Exporter.CONSOLE, is_own=False)),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, None),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, None),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "no"}, COLLECTOR),
    ],
)
def test_without_it_the_variables_that_every_program_reads_decide(
    environ: dict[str, str], choice: Choice | None
) -> None:
    assert choice_of(None, environ) == choice


def test_an_exporter_that_is_none_of_ours_is_named() -> None:
    with pytest.raises(ExporterUnknown, match="OTEL_TRACES_EXPORTER = 'zipkin' is none of otlp, console and none"):
        choice_of(None, {**ENDPOINT, "OTEL_TRACES_EXPORTER": "zipkin"})


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp"}, []),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, []),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, []),
        (
            {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            ["OTEL_EXPORTER_OTLP_PROTOCOL = 'grpc': spans go by http/"],
        ),
        (
            {
                **ENDPOINT,
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL = 'http/json': spans go by http/"],
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp,console"},
            ["OTEL_TRACES_EXPORTER = 'otlp,console' names several: spans go to one, otlp"],
        ),
    ],
)
def test_what_the_variables_ask_for_and_is_not_done_is_named(environ: dict[str, str], told: list[str]) -> None:
    choice = choice_of(None, environ)
    assert choice is not None
    reasons = ignored_by(choice, environ)
    assert len(reasons) == len(told)
    assert all(reason.startswith(start) for reason, start in zip(reasons, told, strict=True))


def test_our_own_setting_chooses_one_exporter_and_nothing_of_that_is_ignored() -> None:
    choice = choice_of("console", {})
    assert choice is not None
    assert ignored_by(choice, {"OTEL_TRACES_EXPORTER": "otlp,console", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) == []


def test_the_endpoint_of_traces_wins_over_that_of_all_signals() -> None:
    traces = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:1"}
    assert [endpoint_of(environ) for environ in ({}, ENDPOINT, ENDPOINT | traces)] == [
        DEFAULT_ENDPOINT,
        "http://collector:4318",
        "http://traces:1",
    ]


@pytest.mark.parametrize("value", ["oltp", "file:", "file", "on"])
def test_a_wrong_setting_is_refused_with_what_may_stand_there(value: str) -> None:
    with pytest.raises(SettingsError, match=f"setting tracing = '{value}': use otlp, console, file:PATH or none"):
        load_settings(tracing=value)
