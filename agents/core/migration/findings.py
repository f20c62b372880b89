"""One thing that somebody who moves an agent over should know of, and where it is."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Topic(StrEnum):
    """What a finding is about."""

    READ = "read"
    """The file cannot be read or compiled."""
    WRAP = "wrap"
    """The wrapper does not take this over."""
    REWRITE = "rewrite"
    """The rewrite leaves this to a person."""
    V2 = "v2"
    """A fault in an agent that is v2 already."""
    NOTE = "note"
    """Worth knowing; nothing has to be done first."""


class Finding(BaseModel):
    """A sentence that says what to do, with its place; `line` and `column` count from 1."""

    model_config = ConfigDict(frozen=True)

    topic: Topic
    path: str
    line: int | None = None
    column: int | None = None
    message: str

    @property
    def place(self) -> str:
        """Return `path:line:column`, as far as it is known."""
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Spot(BaseModel):
    """What a check found at a line of the file at hand: a finding without its file."""

    model_config = ConfigDict(frozen=True)

    line: int
    message: str

    def finding(self, topic: Topic, path: str) -> Finding:
        """Return it as a finding in a file."""
        return Finding(topic=topic, path=path, line=self.line, message=self.message)
