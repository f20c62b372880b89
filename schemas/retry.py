"""RetryRules: how a task or an agent wants to be tried again, where that differs from the host's policy."""

from difflib import get_close_matches
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Wire

ErrorCode = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class RetryRules(Wire):
    """Each field that is given takes the place of the policy's own; `bus.retry.RetryPolicy` says what they mean.

    Before attempt n + 1 a task waits `base * factor ** (n - 1)` seconds, at most `cap`. `jitter`, 0 to 1, is the
    chance of a longer wait. `on` names the codes of the errors that are tried again, and no other ones are.
    """

    base: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    factor: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] | None = None
    cap: Annotated[float, Field(ge=0, le=604_800, allow_inf_nan=False)] | None = None
    jitter: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    on: tuple[ErrorCode, ...] | None = None

    def must_be_known(self) -> None:
        """Refuse keys that nothing reads, for who makes a task; those of other programs' tasks are kept.

        Raises:
            ValueError: there is one; the text names it and the nearest known key.
        """
        for key in self.model_extra or ():
            close = get_close_matches(key, type(self).model_fields, n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"retry has no key {key!r}: {meant}it takes {', '.join(type(self).model_fields)}")
