"""ServerUrl: the address of a model server, without its secrets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_SEPARATOR: Final = re.compile(r"[\s,;]")

DEFAULT_URL: Final = "http://localhost:11434"
"""Ollama's own default."""

REMEDY: Final = "in a user name or password, write @ as %40, / as %2F, ? as %3F, # as %23 and a comma as %2C"

VARIABLES: Final = ("OLLAMA_URL", "OLLAMA_BASE_URL")


def url_from_environment(environ: Mapping[str, str] | None = None) -> str:
    """Return the first of OLLAMA_URL and OLLAMA_BASE_URL that is set, or Ollama's own default."""
    values = os.environ if environ is None else environ
    return next((values[name] for name in VARIABLES if values.get(name)), DEFAULT_URL)


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """`address` is safe to show: user name and password are kept apart in `credentials`."""

    address: str
    host: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def is_near(self) -> bool:
        """Whether no proxy of the environment can be meant: this machine, a private address, or a bare name.

        A container calls its neighbour `ollama`; a proxy for the Internet knows nothing of it.
        """
        try:
            return ip_address(self.host).is_private
        except ValueError:
            return "." not in self.host

    @property
    def may_use_tls(self) -> bool:
        """Whether certificates may have to be checked: by https, or by a proxy on the way to a distant server."""
        return self.address.startswith("https:") or not self.is_near


def parse_url(text: str) -> ServerUrl:
    """Read one `http://host:port`, with or without scheme, path and `user:password@`.

    Raises:
        ValueError: it is no http(s) address, or not one alone. The text never shows user name or password.
    """
    full = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError:
        raise _refusal(full) from None
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        # An unquoted / ? or # ends the authority, and the rest of a password would pass for a path.
        raise ValueError(f"the model server's address has an @ behind its host: {REMEDY}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or _SEPARATOR.search(parts.hostname):
        raise _refusal(full)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = name if port is None else f"{name}:{port}"
    return ServerUrl(f"{parts.scheme}://{place}{parts.path.rstrip('/')}", parts.hostname, _credentials(parts))


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def _refusal(url: str) -> ValueError:
    scheme, mark, rest = url.partition("://")
    shown = rest.rpartition("@")[2]
    if scheme.isalpha():  # else it is a piece of a user name and password
        shown = f"{scheme}{mark}{shown}"
    return ValueError(
        f"the model server's address {shown!r} is no http address: write it like {DEFAULT_URL}, "
        f"and several with a comma between them; {REMEDY}"
    )
