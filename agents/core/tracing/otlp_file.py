"""OtlpFile: spans in a file, one line of OTLP's JSON for each batch, as collectors and Jaeger read it."""

import json
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # it ships no types
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_IDS: Final = frozenset(("traceId", "spanId", "parentSpanId"))
"""Bytes, which protobuf's JSON has in base64 and OTLP's in hexadecimal: opentelemetry.io/docs/specs/otlp."""


class OtlpFile(SpanExporter):
    """Appends to a file; several processes may share it."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError."""
        self._file = path.open("a", encoding="utf-8")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch. Raises OSError."""
        batch = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        self._file.write(f"{json.dumps(_with_hexadecimal_ids(batch), ensure_ascii=False)}\n")
        self._file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hexadecimal_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: b64decode(item).hex() if name in _IDS else _with_hexadecimal_ids(item) for name, item in value.items()
    }
