"""What a host answers to those who keep it alive: is it alive, is it ready. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agents.core.host_stage import HostStage
from bus.alarm import ALARM
from bus.broker import ConsumerState, LinkState

_UP: Final = frozenset((LinkState.CONNECTED, LinkState.BLOCKED))
"""A blocked connection brings tasks; that it takes no results is the broker's alarm, and no start of a host helps."""

_HAS_BEGUN: Final = frozenset((ConsumerState.CONSUMING, ConsumerState.FULL, ConsumerState.PAUSED))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a probe, and why, in one line."""

    is_good: bool
    why: str


@dataclass(frozen=True, slots=True)
class AgentState:
    """One agent's consumer, and the reason of its pause."""

    agent: str
    consumer: ConsumerState
    reason: str | None = None


def liveness(failed_watch: str | None) -> Verdict:
    """Judge whether the process should go on. `failed_watch`: what has died in it, if anything.

    That the event loop goes round is known by the asking. An outage of the broker or of a model server is none of it:
    a new process would find the same outage, and lose the work that this one has in hand.
    """
    if failed_watch is not None:
        return Verdict(is_good=False, why=f"{failed_watch} has died, so the host stops; the log tells why")
    return Verdict(is_good=True, why="alive")


def readiness(stage: HostStage, links: Mapping[str, LinkState], agents: Sequence[AgentState]) -> Verdict:
    """Judge whether the host takes tasks, as soon as there are any and its model servers answer.

    A pause, of an outage or by an operator, leaves it ready: it takes tasks again by itself, and a rollout that waited
    for the model server could not bring what mends it. Nor does an alarm of the broker, which is told as well.
    """
    if stage is not HostStage.RUNNING:
        return Verdict(is_good=False, why=f"the host is {stage.value.replace('_', ' ')}")
    away = [name for name, link in links.items() if link not in _UP]
    if away:
        return Verdict(is_good=False, why=f"the connection to RabbitMQ is lost ({', '.join(away)}); it comes back")
    missing = [state for state in agents if state.consumer not in _HAS_BEGUN]
    if missing:
        told = f"{missing[0].agent} is {missing[0].consumer.value}"
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Verdict(is_good=False, why=f"not all agents are at their queues: {told}{more}")
    return Verdict(is_good=True, why="; ".join(("ready", *_notes(links, agents))))


def _notes(links: Mapping[str, LinkState], agents: Sequence[AgentState]) -> Iterator[str]:
    if LinkState.BLOCKED in links.values():
        yield ALARM
    paused = [state for state in agents if state.consumer is ConsumerState.PAUSED]
    if paused:
        yield f"{len(paused)} of {len(agents)} agents are paused: {paused[0].reason}"
