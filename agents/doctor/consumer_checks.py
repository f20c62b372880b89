"""Whether somebody works on what waits: consumers at the broker, and what hosts tell where there is none. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from agents.core.outage_reason import without_fault
from agents.doctor.facts import Facts
from agents.doctor.finding import Finding, broken, ok, warning
from agents.doctor.topology_checks import named
from agents.doctor.work_checks import task_queues
from bus.broker import ConsumerState, QueueInfo

_THERE: Final = frozenset((ConsumerState.CONSUMING, ConsumerState.FULL, ConsumerState.PAUSED))
"""The states of a consumer whose host is at work."""


def check_consumers(facts: Facts) -> Iterator[Finding]:
    """Judge whether somebody consumes every agent's queue.

    A host of several agents shuts their consumers while it holds all that it may. That it is there is seen by its
    reports, or by the queue in which it hears of arrivals.
    """
    broker, topology = facts.broker, facts.settings.topology
    if broker.description is None:
        return
    found = (broker.queues.get(topology.task_queue(agent)) for agent in broker.agents)
    infos = [info for info in found if info is not None]
    if not infos:
        return
    idle = [info for info in infos if not info.consumers]
    findings = [*_alone(facts, idle), *_paused(facts, idle), *_shut(facts, idle)]
    yield from findings or [ok("consumers", f"task queues that nobody attends to: none of {len(infos)}")]


def _alone(facts: Facts, idle: Sequence[QueueInfo]) -> Iterator[Finding]:
    attended = _reported(facts) | _hearing(facts)
    alone = [info for info in idle if info.name not in attended]
    waiting = [f"{info.name} ({info.ready} wait)" for info in alone if info.ready]
    remedy = f"start them with `sutazai run`; if they run, a pause or an open breaker is why: see {_model_check(facts)}"
    if waiting:
        yield broken("consumers", f"nobody consumes {named(waiting)}", remedy)
    elif alone:
        yield warning("consumers", f"nobody consumes {named(info.name for info in alone)}", remedy)


def _paused(facts: Facts, idle: Sequence[QueueInfo]) -> Iterator[Finding]:
    """Yield what hosts say that they take nothing of, and why, however busy they are with other tasks."""
    reasons = _reasons(facts)
    paused = [f"{info.name} ({info.ready} wait) on {reasons[info.name]}" for info in idle if info.name in reasons]
    if paused:
        yield warning(
            "consumers",
            f"paused: {named(paused)}",
            f"`sutazai resume AGENT` ends what an operator began; for the model server see {_model_check(facts)}",
        )


def _shut(facts: Facts, idle: Sequence[QueueInfo]) -> Iterator[Finding]:
    """Yield the queues that a host hears of and takes nothing from, where nobody says why and none can be full."""
    silent = _hearing(facts) - _reported(facts)
    shut = [info.name for info in idle if info.name in silent]
    if shut and not any(row.get("messages_unacknowledged") for _, row in task_queues(facts)):
        yield warning(
            "consumers",
            f"the host of {named(shut)} is there, holds nothing and takes nothing",
            f"an operator's pause or an open breaker is why: see {_model_check(facts)} and the host's log",
        )


def _model_check(facts: Facts) -> str:
    """Return the check that tells more of the models: a server that does not answer is not asked for a token."""
    return "`model-server`" if any(server.error is not None for server in facts.servers) else "`generation`"


def _reported(facts: Facts) -> set[str]:
    """Return the task queues of agents that are at work, as their hosts tell."""
    topology, reports = facts.settings.topology, facts.broker.reports
    return {topology.task_queue(report.agent) for report in reports if report.consumer in _THERE}


def _reasons(facts: Facts) -> dict[str, str]:
    """Return the task queues of which hosts tell why they take nothing, with the hosts and their reasons."""
    found: dict[str, list[str]] = {}
    for report in facts.broker.reports:
        if report.reason:
            queue = facts.settings.topology.task_queue(report.agent)
            found.setdefault(queue, []).append(f"{report.host} ({without_fault(report.reason)})")
    return {queue: ", ".join(told) for queue, told in found.items()}


def _hearing(facts: Facts) -> set[str]:
    """Return the task queues of hosts that hear of arrivals."""
    topology = facts.settings.topology
    bindings = facts.broker.management.bindings if facts.broker.management else frozenset()
    ears = topology.listener_queue("arrivals", "")
    return {
        topology.task_queue(key)
        for exchange, queue, key in bindings
        if exchange == topology.tasks and queue.startswith(ears)
    }
