"""What every message has in common: frozen, tolerant of unknown fields, strict about known ones."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

AGENT_NAME_PATTERN = r"^[a-z0-9][a-z0-9-]*$"

AgentName = Annotated[str, StringConstraints(pattern=AGENT_NAME_PATTERN, max_length=100)]
"""Lower-case letters, digits and hyphens: it stands in routing keys and queue names (at most 255 bytes there)."""


MOST: Final = 2**53
"""The largest whole number that every JSON parser and every float has exactly. JSON itself knows no bound, and a number
of 400 digits from another program would break whoever adds it up."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""What is measured, in any unit."""
AttemptNumber = Annotated[int, Field(ge=1, le=MOST)]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC it is outside the years 1 to 9999") from error


Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with a time zone, kept in UTC, RFC 3339 on the wire."""


def now() -> datetime:
    """Return the current moment in UTC."""
    return datetime.now(UTC)


class Wire(BaseModel):
    """A value that crosses a wire. Unknown fields are kept, so that newer and older programs live together."""

    model_config = ConfigDict(frozen=True, extra="allow", ser_json_inf_nan="null")


class MappingWire(Wire):
    """A message that reads as a mapping too: `task["id"]`, `task.get("data")`, `"prompt" in task`."""

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        extra = self.model_extra or {}
        # An unknown field may bear the name of a method, such as "schema".
        return extra[key] if key in extra else getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in type(self).model_fields or key in (self.model_extra or ())

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field `key`, or `default` where the message has no such field or holds None there."""
        if key not in self:
            return default
        value = self[key]
        return default if value is None else value

    def keys(self) -> Iterator[str]:
        """Iterate over the names of all fields, unknown ones included."""
        yield from type(self).model_fields
        yield from self.model_extra or ()
