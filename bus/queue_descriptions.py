"""What each queue is for, in words for whoever meets it in the management UI."""

from typing import Final

DESCRIPTION_ARGUMENT: Final = "x-description"
"""The argument of `queue.declare` that bears the words. RabbitMQ keeps and shows arguments that it does not know, and
compares none of them on a second declaration: tried on 3.10.8 and 4.0.5. So a queue without it, or with other words,
is the same queue; and one that is there keeps the words it was made with."""

UNROUTED: Final = "Tasks for agents that nobody has declared. Look: sutazai dlq list --reason unrouted"
RESULTS_LOG: Final = "The result of every task of the last days. Read: sutazai results --since 1h"
CONTROL_LOG: Final = "What hosts were told, such as cancellations, for hosts that start later"
LISTENER: Final = "What one program listens to. Goes five minutes after the program"
ARRIVALS: Final = "Wakes one host when tasks come for its agents. Goes with the host, loses no task"


def of_tasks(agent: str) -> str:
    """Return the words for a task queue."""
    return f"Tasks that wait for agent {agent}"


def of_dead_letters(agent: str) -> str:
    """Return the words for a dead-letter queue."""
    return f"Tasks that {agent} could not do; headers say why. Have them done again: sutazai dlq replay"


def of_rung(rung_ms: int) -> str:
    """Return the words for a rung of the retry ladder."""
    return f"Tasks that failed in passing, {rung_ms / 1000:g} s before they go back to their agent's queue"
