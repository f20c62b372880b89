"""The addresses of one or several model servers, as OLLAMA_URL has them."""

from collections.abc import Sequence

from agents.core.model.server_url import REMEDY, parse_url


def server_addresses(urls: str | Sequence[str]) -> dict[str, str]:
    """Return the address of each server, as it was given, under a name that is safe to show.

    A text holds one or several, separated by commas; a comma in a password is written %2C. From the second on, one
    with credentials has its scheme: without one it may be the rest of a password.

    Raises:
        ValueError: there is none, one is no http address, or two are the same. The text never shows a password.
    """
    given = [part.strip() for part in (urls.split(",") if isinstance(urls, str) else urls)]
    addresses = [address for address in given if address]
    if not addresses:
        raise ValueError("no model server is named: give an address such as http://localhost:11434")
    if isinstance(urls, str):
        _refuse_cut_passwords(addresses)
    if len(addresses) == 1:
        return {parse_url(addresses[0]).address: addresses[0]}
    named: dict[str, str] = {}
    for number, address in enumerate(addresses, 1):
        name = _name(number, address)
        if name in named:
            raise ValueError(f"the model server {name!r} is named twice: name each once")
        named[name] = address
    return named


def _refuse_cut_passwords(parts: Sequence[str]) -> None:
    for number, part in enumerate(parts[1:], 2):
        if "@" in part and "://" not in part:
            raise ValueError(
                f"number {number} of the model servers' addresses has an @ and no scheme: {REMEDY}; "
                "where it is an address of its own, begin it with http://"
            )


def _name(number: int, address: str) -> str:
    try:
        return parse_url(address).address
    except ValueError:
        # The part itself is not shown: cut at a comma in a password, it may be a piece of that.
        raise ValueError(
            f"number {number} of the model servers' addresses is no http address: write them like "
            f"http://a:11434,http://b:11434; {REMEDY}"
        ) from None
