"""Reading request bodies with the error sentences of the real server, which are those of Go's encoding/json."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from agents.local_model.errors import ReplyError

_BAD_REQUEST: Final = 400
_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"),
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
_GO_KINDS: Final = {"bool": "bool", "number": "float64", "array": "[]interface {}", "object": "map[string]interface {}"}
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)")


def kind(value: object) -> str:
    """Return what Go's decoder calls `value`."""
    return next((name for type_, name in _KINDS if isinstance(value, type_)), "null")


class Body:
    """A JSON object whose fields are read by type; null and absent are the same, as in Go.

    Args:
        struct: The Go type's name, as it stands in error sentences.
        values: The object.
        path: Where the object lies inside the request, with a dot at the end.
    """

    def __init__(self, struct: str, values: Mapping[str, Any], path: str = "") -> None:
        self._struct = struct
        self._values = values
        self._path = path

    def text(self, name: str) -> str:
        """Return a string, empty by default."""
        return str(self._read(name, "string", "string", ""))

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        return bool(self._read(name, "bool", "bool", default))

    def number(self, name: str) -> int:
        """Return a whole number, 0 by default."""
        return int(self._read(name, "number", "int", 0))

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object, empty by default."""
        value: Mapping[str, Any] = self._read(name, "object", "map[string]interface {}", {})
        return value

    def items(self, name: str, go_type: str) -> list[Any]:
        """Return an array, empty by default."""
        return list(self._read(name, "array", go_type, []))

    def objects(self, name: str, go_type: str) -> list["Body"]:
        """Return an array of objects."""
        found = self.items(name, f"[]{go_type}")
        for item in found:
            self._check(name, item, "object", go_type)
        return [Body(self._struct, item, f"{self._path}{name}.") for item in found]

    def raw(self, name: str) -> Any:  # any JSON
        """Return whatever is there, or None."""
        return self._values.get(name)

    def _read(self, name: str, wanted: str, go_type: str, default: object) -> Any:  # any JSON
        value = self._values.get(name)
        if value is None:
            return default
        self._check(name, value, wanted, go_type)
        return value

    def _check(self, name: str, value: object, wanted: str, go_type: str) -> None:
        if kind(value) != wanted:
            field = f"{self._struct}.{self._path}{name}"
            raise ReplyError(
                _BAD_REQUEST, f"json: cannot unmarshal {kind(value)} into Go struct field {field} of type {go_type}"
            )


def parse_body(data: bytes, struct: str) -> Body:
    """Read a request body.

    Raises:
        ReplyError: 400, empty, not JSON, or not an object.
    """
    if not data.strip():
        raise ReplyError(_BAD_REQUEST, "missing request body")
    text = data.decode(errors="replace")
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReplyError(_BAD_REQUEST, _syntax(text, error)) from error
    if not isinstance(values, dict):
        raise ReplyError(_BAD_REQUEST, f"json: cannot unmarshal {kind(values)} into Go value of type api.{struct}")
    return Body(struct, values)


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :].lstrip()
    if not rest or error.msg.startswith("Unterminated"):
        return "unexpected EOF"
    return f"invalid character {rest[0]!r} looking for beginning of value"


def parse_keep_alive(value: object) -> float | None:
    """Return seconds from a number of seconds or a Go duration (`5m`, `1h30m`); negative means for ever; None is unset.

    Raises:
        ReplyError: 400, another type, or no duration.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ReplyError(_BAD_REQUEST, f"Unsupported type: '{_GO_KINDS[kind(value)]}'")
    return parse_duration(value) if isinstance(value, str) else float(value)


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration, with the errors of time.ParseDuration.

    Raises:
        ReplyError: 400, no duration.
    """
    sign, body = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if body == "0":
        return 0.0
    parts = _DURATION.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ReplyError(_BAD_REQUEST, f"time: invalid duration {json.dumps(text)}")
    for _, unit in parts:
        if unit not in _SECONDS:
            fault = f"unknown unit {json.dumps(unit)}" if unit else "missing unit"
            raise ReplyError(_BAD_REQUEST, f"time: {fault} in duration {json.dumps(text)}")
    return sign * sum(float(number) * _SECONDS[unit] for number, unit in parts)
