"""What is on the broker against what should be there: connection, rights, exchanges, queues, bindings. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agents.doctor.broker_look import plans_of
from agents.doctor.facts import Facts, ManagementFacts, Permissions, Row
from agents.doctor.finding import Finding, broken, ok, warning
from bus.plan import Argument, Queue
from bus.queue_descriptions import DESCRIPTION_ARGUMENT

DEPRECATED: Final = frozenset({"x-queue-mode", "x-queue-version"})
"""Arguments that RabbitMQ 4.x ignores and 4.3 refuses, and that no declaration of ours bears."""

DEPRECATED_POLICIES: Final = frozenset({"queue-mode", "queue-version", "ha-mode"})

NAMED: Final = 4
"""Names that a sentence lists before it counts the rest."""

_DECLARE: Final = "run `sutazai topology` with the agents' names"

_ELSEWHERE: Final = (
    "look at the prefix (SUTAZAI_PREFIX, --prefix) and at the virtual host in AMQP_URL: they must be those of the "
    "hosts; where none has ever started, `sutazai run` makes all of it"
)


def named(names: Iterable[str]) -> str:
    """Return the first of these names, and how many more there are."""
    found = list(names)
    rest = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + rest


def check_broker(facts: Facts) -> Iterator[Finding]:
    """Judge whether the broker is reached, and the virtual host opened."""
    broker = facts.broker
    if broker.error is None:
        yield ok("broker", str(broker.description))
        return
    sentence, _, remedy = broker.error.partition(": ")
    if broker.has_vhost is not None:
        sentence += "; it exists, but not for this user" if broker.has_vhost else "; it does not exist"
    yield broken("broker", sentence, remedy or "see the broker's log")


def check_management(facts: Facts) -> Iterator[Finding]:
    """Judge whether the management API answers: without it, half of the checks see less."""
    if facts.broker.management_error is not None:
        yield warning(
            "management",
            f"{facts.broker.management_error}: bindings, deprecated arguments, consumers' prefetch, progress and the "
            "clock are not looked at, nor agents that are not named",
            "`rabbitmq-plugins enable rabbitmq_management`, give the user the tag `management`, and set "
            "SUTAZAI_MANAGEMENT_URL where it is not at port 15672; or --skip management",
        )
    elif facts.broker.management is not None:
        yield ok("management", "the management API answers")


def check_permissions(facts: Facts) -> Iterator[Finding]:
    """Judge whether this user may write where hosts publish, and read the task queues."""
    broker, topology = facts.broker, facts.settings.topology
    if broker.description is None:
        return
    lacking = {f"write to {exchange}" for exchange in broker.unwritable}
    if broker.management and broker.management.permissions:
        written = [topology.tasks, topology.results, topology.events, topology.metrics, topology.control]
        written += [topology.delay, topology.dead]
        read = [topology.task_queue(agent) for agent in broker.agents]
        lacking |= set(_lacking(broker.management.permissions, written, read))
    if lacking:
        yield broken(
            "permissions",
            f"this user may not {named(sorted(lacking))}",
            f"`rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'`, or patterns that take {topology.prefix}.*",
        )
    else:
        is_told = broker.management and broker.management.permissions
        may = "write and read what agents need" if is_told else f"write to {topology.delay} and {topology.dead}"
        yield ok("permissions", f"this user may {may}")


def _lacking(permissions: Permissions, written: Iterable[str], read: Iterable[str]) -> Iterator[str]:
    yield from (f"write to {name}" for name in written if not re.search(permissions.write, name))
    yield from (f"read {name}" for name in read if not re.search(permissions.read, name))


def check_topology(facts: Facts) -> Iterator[Finding]:
    """Judge whether exchanges and queues exist, with the type and the arguments that every host declares."""
    broker = facts.broker
    if broker.description is None:
        return
    plans = plans_of(facts.settings.topology, broker.agents)
    missing = [name for name, info in broker.queues.items() if info is None]
    differing = [f"{name} ({reason})" for name, reason in broker.refused.items()]
    if broker.management:
        there = broker.management.exchanges
        missing = [
            exchange.name for plan in plans for exchange in plan.exchanges if exchange.name not in there
        ] + missing
        queues = [queue for plan in plans for queue in plan.queues]
        differing = list(_differences(queues, broker.management))
        differing += [
            f"exchange {exchange.name} ({told})"
            for plan in plans
            for exchange in plan.exchanges
            if exchange.name in there and (told := _exchange_difference(there[exchange.name], exchange.arguments))
        ]
    if _is_bare(facts):
        yield broken("topology", f"nothing whose name begins with {facts.settings.prefix!r} is here", _ELSEWHERE)
    elif missing:
        yield broken("topology", f"missing: {named(missing)}", _DECLARE)
    for told in differing:
        yield broken(
            "topology",
            f"not as every host declares it, and refused to them: {told}",
            "stop its agent, move its messages away (shovel, or let it drain), delete it and " + _DECLARE,
        )
    if not missing and not differing:
        seen = "exchanges and " if broker.management else ""
        yield ok("topology", f"{seen}{len(broker.queues)} queues are as they should be")


def _is_bare(facts: Facts) -> bool:
    """Whether nothing of what should be on the broker is there."""
    broker = facts.broker
    exchanges = broker.management.exchanges if broker.management else {}
    plans = plans_of(facts.settings.topology, broker.agents)
    has_exchanges = any(exchange.name in exchanges for plan in plans for exchange in plan.exchanges)
    return not has_exchanges and all(info is None for info in broker.queues.values())


def _differences(queues: Iterable[Queue], management: ManagementFacts) -> Iterator[str]:
    for queue in queues:
        row = management.queues.get(queue.name)
        told = "" if row is None else ", ".join(_argument_differences(_arguments_of(row), queue.arguments))
        if told:
            yield f"{queue.name} ({told})"


def _arguments_of(row: Row) -> Mapping[str, object]:
    # 4.x tells a type that was not asked for in its own field alone.
    return {"x-queue-type": row.get("type", "classic"), **row.get("arguments", {})}


def _argument_differences(found: Mapping[str, object], expected: Mapping[str, Argument]) -> Iterator[str]:
    for name in sorted((found.keys() | expected.keys()) - DEPRECATED - {DESCRIPTION_ARGUMENT}):
        if found.get(name) != expected.get(name):
            yield f"{name} is {_told(found, name)} instead of {_told(expected, name)}"


def _told(arguments: Mapping[str, object], name: str) -> str:
    return str(arguments[name]) if name in arguments else "absent"


def _exchange_difference(row: Row, arguments: Mapping[str, Argument]) -> str:
    if row.get("type") != "topic":
        return f"type is {row.get('type')} instead of topic"
    return ", ".join(_argument_differences(row.get("arguments", {}), arguments))


def check_bindings(facts: Facts) -> Iterator[Finding]:
    """Judge whether every queue that exists is bound as it should be: an unbound one gets no tasks."""
    management = facts.broker.management
    if management is None:
        return
    wanted = [binding for plan in plans_of(facts.settings.topology, facts.broker.agents) for binding in plan.bindings]
    expected = [binding for binding in wanted if binding.queue in management.queues]
    if not expected:
        return
    missing = [
        f"{binding.queue} to {binding.exchange} by {binding.key!r}"
        for binding in expected
        if (binding.exchange, binding.queue, binding.key) not in management.bindings
    ]
    if missing:
        yield broken("bindings", f"not bound: {named(missing)}", _DECLARE)
    else:
        yield ok("bindings", "all queues are bound")


def check_deprecated(facts: Facts) -> Iterator[Finding]:
    """Judge whether queues of ours bear arguments or policies that newer brokers refuse.

    Every host is refused its own declaration of a queue with such an argument; a policy works until the upgrade.
    """
    management = facts.broker.management
    if management is None:
        return
    ours = {name: row for name, row in sorted(management.queues.items()) if name in facts.broker.queues}
    if not ours:
        return
    arguments = [f"{key} of {name}" for name, row in ours.items() for key in _old_arguments(row)]
    policies = [f"{key} for {name}" for name, row in ours.items() for key in _old_policies(row)]
    if arguments:
        yield broken(
            "deprecated",
            f"arguments that RabbitMQ 4.3 refuses, and no host declares: {named(arguments)}",
            "drop them from what declares these queues, let them drain, delete them and " + _DECLARE,
        )
    if policies:
        yield warning(
            "deprecated",
            f"policies that RabbitMQ 4.x ignores or refuses: {named(policies)}",
            "`rabbitmqctl list_policies` shows where they come from: drop these keys",
        )
    if not arguments and not policies:
        yield ok("deprecated", "no deprecated arguments")


def _old_arguments(row: Row) -> list[str]:
    return sorted(DEPRECATED & row.get("arguments", {}).keys())


def _old_policies(row: Row) -> list[str]:
    # An empty one comes as a list from some versions.
    return sorted(DEPRECATED_POLICIES & set(row.get("effective_policy_definition") or ()))
