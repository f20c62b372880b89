"""Pull: the state of one download at the model server, which grows line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, NonNegativeInt, ValidationError

from agents.core.model.errors import IncompleteStream, ModelNotFound, ModelServerError


@dataclass(frozen=True, slots=True)
class PullProgress:
    """One step of a pull. Bytes are 0 in steps that download nothing; `digest` names the file of those that do."""

    status: str
    completed: int = 0
    total: int = 0
    digest: str = ""


class _PullLine(BaseModel):
    status: str = ""
    completed: NonNegativeInt = 0
    total: NonNegativeInt = 0
    digest: str = ""
    error: str | None = None


@dataclass(slots=True)
class Pull:
    """What is known of a pull so far."""

    model: str
    _status: str = ""

    def add(self, line: Mapping[str, Any]) -> PullProgress:
        """Take the next line.

        Raises:
            ModelNotFound: the registry does not have the model, or cannot be reached; it says so within a 200.
            ModelServerError: the line has another shape than the API's.
        """
        try:
            read = _PullLine.model_validate(line)
        except ValidationError as exc:
            raise ModelServerError(f"a step of the pull has an unknown shape: {exc.errors()[0]['msg']}") from exc
        if read.error is not None:
            raise ModelNotFound(self.model, f"pulling it failed: {read.error}")
        self._status = read.status
        return PullProgress(read.status, read.completed, read.total, read.digest)

    def check_finished(self) -> None:
        """Make sure that the whole model has come.

        Raises:
            IncompleteStream: the last line was not `success`.
        """
        if self._status != "success":
            raise IncompleteStream(f"the pull of {self.model!r} ended unfinished at {self._status!r}")
