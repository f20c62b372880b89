"""Whether somebody works on what waits: consumers at the broker, and what hosts tell where there is none. Pure."""

from collections import Counter
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
    idle = sorted((info for info in infos if not info.consumers), key=lambda info: -info.ready)
    findings = [*_alone(facts, idle), *_paused(facts, idle), *_shut(facts, idle)]
    yield from findings or [ok("consumers", f"task queues that nobody attends to: none of {len(infos)}")]


def check_names(facts: Facts) -> Iterator[Finding]:
    """Judge whether each process has a name of its own: by the queues in which hosts hear what is said to all."""
    if facts.broker.management is None:
        return
    ears = facts.settings.topology.listener_queue("control", "")
    queues = {row["queue"] for row in facts.broker.management.consumers if row["queue"].startswith(ears)}
    # The name of the queue ends with a mark of the process.
    processes = Counter(queue.removeprefix(ears).rpartition("-")[0] for queue in queues)
    twins = [f"{host} ({count} processes)" for host, count in sorted(processes.items()) if count > 1]
    if twins:
        yield warning(
            "names",
            f"processes share a name: {named(twins)}",
            "give each its own SUTAZAI_HOST_NAME: their reports are told as those of one, and all obey an order to one",
        )
    elif processes:
        yield ok("names", f"hosts that are connected, each with a name of its own: {len(processes)}")


def _alone(facts: Facts, idle: Sequence[QueueInfo]) -> Iterator[Finding]:
    attended = _reported(facts) | _hearing(facts)
    alone = [info for info in idle if info.name not in attended]
    waiting = [f"{info.name} ({info.ready} wait)" for info in alone if info.ready]
    remedy = f"start them with `sutazai run`{_doubt(facts, alone)}"
    if waiting:
        yield broken("consumers", f"nobody consumes {named(waiting)}", remedy)
    elif alone:
        remedy += "; delete the queues of agents that are retired"
        yield warning("consumers", f"nobody consumes {named(info.name for info in alone)}", remedy)


def _doubt(facts: Facts, alone: Sequence[QueueInfo]) -> str:
    """Return why nobody consumes though a host runs, unless RabbitMQ tells that no host listens for these agents."""
    if facts.broker.management and _listening(facts).isdisjoint(info.name for info in alone):
        return ""
    return f"; if they run, a pause or an open breaker is why: see {_model_check(facts)}"


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
    return _with_ear(facts, "arrivals", facts.settings.topology.tasks)


def _listening(facts: Facts) -> set[str]:
    """Return the task queues of hosts that hear what is said to their agents."""
    return _with_ear(facts, "control", facts.settings.topology.control)


def _with_ear(facts: Facts, purpose: str, exchange: str) -> set[str]:
    topology = facts.settings.topology
    bindings = facts.broker.management.bindings if facts.broker.management else frozenset()
    ears = topology.listener_queue(purpose, "")
    return {topology.task_queue(key) for place, queue, key in bindings if place == exchange and queue.startswith(ears)}
