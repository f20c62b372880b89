"""LineSplitter: lines of a streamed body, whatever the pieces it arrives in."""

from collections.abc import Iterator


class LineSplitter:
    r"""Cuts at `\n` alone. httpx's own line reader also cuts at U+2028, U+0085 and more, which JSON texts may hold."""

    def __init__(self) -> None:
        self._open: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that `data` completes, without empty ones."""
        *complete, rest = data.split(b"\n")
        for line in complete:
            self._open.append(line)
            yield from self.rest()
        self._open.append(rest)

    def rest(self) -> Iterator[bytes]:
        """Yield what has come since the last line's end, if anything."""
        line = b"".join(self._open).strip()
        self._open.clear()
        if line:
            yield line
