"""What goes on at the broker: progress, letters that went astray, patience and clocks. Pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from agents.core.settings import SettingsError
from agents.doctor.facts import CheckedAgent, Facts, Row
from agents.doctor.finding import Finding, broken, ok, warning
from agents.doctor.topology_checks import NAMED, named

PREFETCH_PER_SLOT: Final = 10
"""A consumer that holds this many tasks for each slot keeps them from other hosts, and from the breaker's pause."""

SKEW_SECONDS: Final = 5.0
"""Deadlines and queue waits compare two clocks; NTP keeps them within milliseconds."""

MILLISECONDS: Final = 1000


def check_patience(facts: Facts) -> Iterator[Finding]:
    """Judge whether each agent's task timeout fits into the broker's acknowledgement timeout."""
    found = False
    for agent in facts.agents or [CheckedAgent("any")]:
        try:
            facts.settings.patience(agent.task_timeout, agent.name)
        except SettingsError as error:
            sentence, _, remedy = str(error).rpartition(": ")
            found = True
            yield broken("patience", sentence, remedy)
    for name, seconds in _timeouts_on_queues(facts):
        if seconds < facts.settings.consumer_timeout:
            found = True
            yield broken(
                "patience",
                f"RabbitMQ tears deliveries of {name} away after {seconds:g} s, agents reckon with "
                f"{facts.settings.consumer_timeout:g} s",
                f"raise the queue's consumer timeout, or set SUTAZAI_CONSUMER_TIMEOUT={seconds:g}",
            )
    if not found:
        yield ok(
            "patience", f"task timeouts fit into an acknowledgement timeout of {facts.settings.consumer_timeout:g} s"
        )


def _timeouts_on_queues(facts: Facts) -> Iterator[tuple[str, float]]:
    for name, row in task_queues(facts):
        of_policy = dict(row.get("effective_policy_definition") or ()).get("consumer-timeout")
        limit = row.get("arguments", {}).get("x-consumer-timeout", of_policy)
        if limit is not None:
            yield name, limit / MILLISECONDS


def check_prefetch(facts: Facts) -> Iterator[Finding]:
    """Judge whether anybody takes far more tasks at once than the model has slots."""
    slots = facts.settings.max_ollama_connections * max(1, len(facts.servers))
    bound = slots * PREFETCH_PER_SLOT
    found = [f"MAX_CONCURRENT_TASKS is {facts.settings.max_concurrent_tasks}"] * (
        facts.settings.max_concurrent_tasks >= bound
    )
    queues = {name for name, _ in task_queues(facts)}
    consumers = facts.broker.management.consumers if facts.broker.management else ()
    ours = [row for row in consumers if row["queue"] in queues]
    found += [
        f"{row.get('consumer_tag')} takes {row['prefetch_count'] or 'any number'}"
        for row in ours
        if row["prefetch_count"] >= bound or not row["prefetch_count"]
    ]
    if found:
        yield warning(
            "prefetch",
            f"{named(found)} at once, for {slots} slots at the model",
            f"set MAX_CONCURRENT_TASKS to about {slots * 2}: what a host holds, no other host can work on",
        )
    else:
        more = f" and {len(ours)} consumer{'s' * (len(ours) > 1)}" if ours else ""
        yield ok("prefetch", f"below {PREFETCH_PER_SLOT} times the {slots} slots: MAX_CONCURRENT_TASKS{more}")


def check_unrouted(facts: Facts) -> Iterator[Finding]:
    """Judge whether tasks were published for agents that nobody declared."""
    unrouted = facts.broker.queues.get(facts.settings.topology.unrouted)
    if unrouted is None:
        return
    if unrouted.ready:
        tasks = "1 task" if unrouted.ready == 1 else f"{unrouted.ready} tasks"
        yield warning(
            "unrouted",
            f"{tasks} in {unrouted.name} for agents that nobody declared",
            "`sutazai dlq list --reason unrouted` shows for whom: correct the publisher, or start the agents",
        )
    else:
        yield ok("unrouted", "no task is for an unknown agent")


def check_dead_letters(facts: Facts) -> Iterator[Finding]:
    """Judge whether tasks were given up."""
    broker, topology = facts.broker, facts.settings.topology
    if broker.description is None:
        return
    infos = {agent: broker.queues.get(topology.dead_queue(agent)) for agent in broker.agents}
    letters = {agent: info.ready for agent, info in infos.items() if info is not None}
    if not letters:
        return
    found = {agent: count for agent, count in letters.items() if count}
    if found:
        chosen = "".join(f" --agent {agent}" for agent in found) if len(found) <= NAMED else ""
        yield warning(
            "dead-letters",
            f"given up: {named(f'{count} of {agent}' for agent, count in found.items())}",
            f"`sutazai dlq list{chosen}` says why; replay or purge them there",
        )
    else:
        yield ok("dead-letters", "no dead letters")


def check_progress(facts: Facts) -> Iterator[Finding]:
    """Judge whether queues with consumers and waiting tasks have moved within the last ten minutes."""
    queues = dict(task_queues(facts))
    if facts.broker.management is None or not queues:
        return
    stuck = [name for name, row in queues.items() if _is_stuck(row)]
    age = _age_told(queues, facts.broker.management.looked_at)
    if stuck:
        yield warning(
            "progress",
            f"consumed, and nothing delivered or settled for ten minutes while tasks wait: {named(stuck)}{age}",
            "see the hosts' logs; restart a host that hangs: its tasks go back to the queue",
        )
    else:
        yield ok("progress", f"nothing is stuck{age}")


def _age_told(queues: Mapping[str, Row], now: float) -> str:
    """Return the age of the oldest of the tasks that are first in their queues, where RabbitMQ tells of any.

    Nobody's clock made a time to come: publishers that tell milliseconds do that.
    """
    heads = {name: row.get("head_message_timestamp") for name, row in queues.items()}
    made = [(head, name) for name, head in heads.items() if isinstance(head, int) and head <= now]
    if not made:
        return ""
    oldest, name = min(made)
    return f"; the oldest task that is first in its queue was made {timedelta(seconds=int(now - oldest))} ago: {name}"


def _is_stuck(row: Row) -> bool:
    statistics = row.get("message_stats")
    if not statistics or not row.get("consumers") or not row.get("messages_ready"):
        return False
    rates = [statistics.get(name, {}).get("avg_rate") for name in ("deliver_get_details", "ack_details")]
    return not any(rates) and None not in rates


def check_clock(facts: Facts) -> Iterator[Finding]:
    """Judge whether the broker's clock is ours."""
    skew = facts.broker.management.skew if facts.broker.management else None
    if skew is None:
        return
    if abs(skew) > SKEW_SECONDS:
        yield warning(
            "clock",
            f"the broker's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's",
            "run NTP (chrony, systemd-timesyncd) on both: deadlines and waiting times compare their clocks",
        )
    else:
        yield ok("clock", f"the broker's clock is within {SKEW_SECONDS:g} s of ours")


def task_queues(facts: Facts) -> Iterator[tuple[str, Row]]:
    """Iterate over the task queues that the management API tells of, by name."""
    rows = facts.broker.management.queues if facts.broker.management else {}
    names = (facts.settings.topology.task_queue(agent) for agent in facts.broker.agents)
    return ((name, rows[name]) for name in names if name in rows)
