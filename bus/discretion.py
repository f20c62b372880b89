"""What lines of the log do not tell: passwords in addresses, and the values that pydantic quotes. Pure."""

import re
from collections.abc import MutableMapping
from typing import Any, Final

_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s'\"]+@")
_QUOTED: Final = re.compile(r"input_value=.*(?=, input_type=)")


def without_secrets(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take them out of all texts of a line; a processor of structlog. Whoever logs leaves them out; this is the net.

    An error that a handler raises has the text it was given, often by a library: an address, or by pydantic what the
    task or the answer brought.
    """
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = discreet(value)
    return line


def discreet(text: str) -> str:
    """Return a text without the user and password of addresses, and without the input that pydantic quotes."""
    if "@" in text:
        text = _CREDENTIALS.sub("***@", text)
    return _QUOTED.sub("input_value=***", text) if "input_value=" in text else text
