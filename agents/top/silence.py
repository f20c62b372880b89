"""Which hosts tell nothing any more, over time. Pure but for its clock."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

GONE_SECONDS: Final = 60.0
"""How long it is told of a silent host that it has been forgotten."""


class Silence:
    """Is told again and again how long ago each host was heard, and remembers who is silent."""

    def __init__(self, patience: float, clock: Callable[[], float]) -> None:
        """`patience`: seconds without a word after which a host is silent."""
        self._patience = patience
        self._clock = clock
        self._gone: dict[str, float] = {}
        self.hosts: frozenset[str] = frozenset()
        """Those that are silent."""

    @property
    def gone(self) -> Collection[str]:
        """Those that were silent until they were forgotten, a moment ago."""
        return list(self._gone)

    def note(self, ages: Mapping[str, float], heard_for: float | None) -> None:
        """Take in the seconds since the last word of each host, and those since when any word could be heard.

        While none can, None, nobody becomes silent; who was silent before stays so until a word comes.
        """
        now = self._clock()
        self._gone |= dict.fromkeys(self.hosts - ages.keys(), now)
        self._gone = {host: at for host, at in self._gone.items() if host not in ages and now - at < GONE_SECONDS}
        self.hosts = frozenset(host for host, age in ages.items() if self._is_silent(host, age, heard_for))

    def _is_silent(self, host: str, age: float, heard_for: float | None) -> bool:
        if host in self.hosts:
            return age > self._patience
        return heard_for is not None and min(age, heard_for) > self._patience
