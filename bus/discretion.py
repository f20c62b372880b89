"""What lines of the log do not tell: passwords in addresses, and the values that pydantic quotes. Pure."""

import re
from collections.abc import MutableMapping
from typing import Any, Final

LONGEST: Final = 100_000
"""Characters of a text in a line of the log; a longer one is cut."""

_WORD: Final = re.compile(r"\S+")
_QUOTED: Final = "input_value="
_AFTER_QUOTED: Final = ", input_type="


def without_secrets(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take them out of all values of a line; a processor of structlog. Whoever logs leaves them out; this is the net.

    An error that a handler raises has the text it was given, often by a library: an address, or by pydantic what the
    task or the answer brought. A list, an error, or any other value that bears one is told as its `repr`, without it.
    """
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = _cut(discreet(value))
        elif not isinstance(value, int | float | None):
            shown = repr(value)
            told = _cut(discreet(shown))
            if told != shown:
                line[name] = told
    return line


def discreet(text: str) -> str:
    """Return a text without the user and password of addresses, and without the input that pydantic quotes.

    Takes a time that grows as the text does, whatever stands in it.
    """
    # In both, what is found last counts: a password may have any sign, and an input may read like what follows it.
    if "@" in text and "://" in text:
        text = _WORD.sub(_without_credentials, text)
    return "\n".join(map(_without_input, text.split("\n"))) if _QUOTED in text else text


def _without_credentials(word: re.Match[str]) -> str:
    before, scheme, rest = word[0].partition("://")
    _, at, host = rest.rpartition("@")
    return f"{before}{scheme}***@{host}" if at else word[0]


def _without_input(row: str) -> str:
    before, quoted, rest = row.partition(_QUOTED)
    _, after, kind = rest.rpartition(_AFTER_QUOTED)
    return f"{before}{quoted}***{after}{kind}" if after else row


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
