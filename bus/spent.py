"""Spent: what one attempt has cost so far, told by its result however it ends."""

from dataclasses import dataclass, replace

from bus.outcome import Buried, Finished, Outcome
from schemas import NO_USAGE, TaskResult, Usage


@dataclass(slots=True)
class Spent:
    """Who works on an attempt adds to it as it goes. `model` and `server` are those asked last."""

    usage: Usage = NO_USAGE
    model: str | None = None
    server: str | None = None

    def add(self, usage: Usage) -> None:
        """Add what one call of a model cost."""
        self.usage = self.usage.plus(usage)


def with_spent(outcome: Outcome, spent: Spent) -> Outcome:
    """Return the outcome with what was spent in its result, if it has one. What a handler said itself is kept."""
    if isinstance(outcome, Finished | Buried):
        return replace(outcome, result=_told(outcome.result, spent))
    return outcome


def _told(result: TaskResult, spent: Spent) -> TaskResult:
    usage = spent.usage if result.usage is None else result.usage.plus(spent.usage)
    told = {"usage": usage, "model": result.model or spent.model, "server": result.server or spent.server}
    return result.model_copy(update=told)
