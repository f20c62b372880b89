"""Results as rows of the feed. Pure."""

from dataclasses import dataclass
from datetime import UTC

from agents.cli.shown_results import answer_of, error_of
from schemas import TaskError, TaskResult


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One terminal result."""

    result: TaskResult

    @property
    def key(self) -> str:
        """Its task's id."""
        return self.result.task_id

    @property
    def time(self) -> str:
        """When it was made, in UTC."""
        return f"{self.result.timestamp.astimezone(UTC):%H:%M:%S}"

    @property
    def agent(self) -> str:
        """Whose it is."""
        return self.result.agent or "-"

    @property
    def tokens(self) -> int | None:
        """Tokens that the model has written for it."""
        return None if self.result.usage is None else self.result.usage.tokens_out

    @property
    def told(self) -> str:
        """The first line of its error, else that of its answer."""
        lines = (self.error if self.result.error else answer_of(self.result)).strip().splitlines()
        return lines[0] if lines else ""

    @property
    def error(self) -> str:
        """Its error with the error's class; empty where it has none."""
        error = self.result.error
        if not error:
            return ""
        return f"{error.code}: {error.message}" if isinstance(error, TaskError) else error_of(self.result)

    @property
    def words(self) -> str:
        """What a filter looks into."""
        return f"{self.agent} {self.result.status} {self.result.model or ''} {self.key} {self.error}"

    @property
    def details(self) -> str:
        """What does not fit into columns."""
        tokens = f"{self.tokens} tokens" if self.tokens else None
        told = (self.key, self.result.model, tokens, self.told or "an empty answer")
        return "  ".join(part for part in told if part)
