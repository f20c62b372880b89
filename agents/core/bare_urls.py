"""Addresses without what is secret in them, for texts that show settings."""

import re
from typing import Final

_NEXT: Final = re.compile(r",(?=\s*[\w+.-]+://)")
_SCHEME: Final = re.compile(r"\s*(?:[\w+.-]+://)?")


def without_credentials(urls: str) -> str:
    """Return one address, or several with commas between them, without user, password and query.

    It need not be an address that can be used: whatever stands before an @ is left out.
    """
    return ",".join(map(_bare, _NEXT.split(urls)))


def _bare(url: str) -> str:
    scheme = _SCHEME.match(url)
    assert scheme is not None  # noqa: S101 - the pattern matches an empty text as well
    return scheme.group() + url[scheme.end() :].rpartition("@")[2].partition("?")[0]
