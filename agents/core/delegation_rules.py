"""What is handed down with a task that one agent gives another, and which tasks may not be given. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from bus.errors import PermanentError
from schemas import TaskMessage, TaskResult
from schemas.faults import first_fault

LINEAGE: Final = "lineage"
"""Key of a task's metadata: the tasks above it, the first one first, each with `agent` and `id`."""

DEEPEST: Final = 16
"""Tasks above one another: a chain as long is a mistake, and each link holds a place of its agent."""

_HANDED_DOWN: Final = ("traceparent",)
"""Keys of the parent's metadata that its children have too."""

_SET_HERE: Final = ("id", "created_at", "deadline", "parent_id")
"""Fields of a child that follow from its parent; `metadata` is added to."""


class DelegationRefused(PermanentError):
    """A task cannot be given to another agent: it would close a circle, or it is no task. Nothing was sent."""

    code = "delegation_refused"


class DelegationFailed(PermanentError):
    """The other agent's task did not complete. `result` is its terminal result."""

    code = "delegation_failed"

    def __init__(self, result: TaskResult) -> None:
        self.result = result
        told = getattr(result.error, "message", result.error) or "no reason was told"
        super().__init__(f"task {result.task_id} of agent {result.agent!r} ended as {result.status}: {told}")


def child_of(parent: TaskMessage, agent: str, fields: Mapping[str, Any], now: datetime) -> TaskMessage:
    """Return the task that `parent` gives `agent`, but for its id: see `child_id`.

    It has the parent's priority unless `fields` say otherwise, and no later deadline.

    Raises:
        DelegationRefused: a field is invalid, the agent is above in the chain, or the chain is too long.
    """
    line = (*lineage_of(parent), {"agent": parent.agent, "id": parent.id})
    _must_be_open(line, agent)
    _must_not_set(fields)
    handed_down = {key: parent.metadata[key] for key in _HANDED_DOWN if key in parent.metadata}
    given = {"priority": parent.priority} | {key: value for key, value in fields.items() if value is not None}
    given |= {
        "agent": agent,
        "created_at": now,
        "parent_id": parent.id,
        "metadata": {**handed_down, **_metadata(fields), LINEAGE: list(line)},
    }
    try:
        child = TaskMessage.model_validate(given)
    except ValidationError as error:
        raise DelegationRefused(f"agent {agent!r} cannot be asked: {first_fault(error)}") from None
    ends = [moment for moment in (parent.expires_at(), child.expires_at()) if moment is not None]
    return child.model_copy(update={"deadline": min(ends, default=None), "timeout": None})


def content_of(child: TaskMessage) -> str:
    """Return what is asked of whom, as a text that is equal for equal questions.

    Raises:
        DelegationRefused: it cannot be written as JSON.
    """
    try:
        asked = child.model_dump(mode="json", exclude={*_SET_HERE, "metadata"})
    except ValueError as error:
        raise DelegationRefused(f"agent {child.agent!r} cannot be asked what is no JSON: {error}") from None
    return json.dumps(asked, sort_keys=True)


def child_id(parent: TaskMessage, content: str, occurrence: int, repetition: int) -> str:
    """Return the id of a child: the same whenever its parent is worked on again, on whichever host.

    `occurrence` counts equal questions of one attempt, `repetition` how often this one is asked anew after it failed.
    """
    parts = (parent.agent, parent.id, content, str(occurrence), str(repetition))
    return hashlib.sha256("\n".join(parts).encode(errors="backslashreplace")).hexdigest()[:32]


def lineage_of(task: TaskMessage) -> tuple[dict[str, str], ...]:
    """Return the tasks above `task`, the first one first; what other programs put there and is no lineage is none."""
    line = task.metadata.get(LINEAGE)
    if not isinstance(line, list):
        return ()
    return tuple({"agent": str(link["agent"]), "id": str(link.get("id", ""))} for link in line if _is_link(link))


def _is_link(link: object) -> bool:
    return isinstance(link, Mapping) and "agent" in link


def _metadata(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise DelegationRefused(f"metadata = {metadata!r} is no mapping: give one with text keys")
    return metadata


def _must_not_set(fields: Mapping[str, Any]) -> None:
    for name in _SET_HERE:
        if name in fields:
            raise DelegationRefused(
                f"{name} = {fields[name]!r} cannot be given: a delegated task has it from its parent"
            )


def _must_be_open(line: Sequence[Mapping[str, str]], agent: str) -> None:
    names = [link["agent"] for link in line]
    chain = " -> ".join((*names, agent))
    if agent in names:
        raise DelegationRefused(
            f"agent {names[-1]!r} cannot ask {agent!r}, which waits for it itself: {chain}; ask one outside this chain"
        )
    if len(line) >= DEEPEST:
        raise DelegationRefused(
            f"agent {names[-1]!r} cannot ask {agent!r}: a chain of {DEEPEST} tasks is the longest, and this is {chain}"
        )
