"""RabbitMQ's alarms of memory and disk, as a program meets them.

In an alarm RabbitMQ takes nothing from whoever publishes, and tells that to nobody else: to know, one has to publish.
"""

from typing import Final

from bus.broker import Broker, LinkState
from bus.message import Message
from bus.routing_keys import PULSE
from bus.topology import Topology

ALARM: Final = (
    "RabbitMQ is in an alarm of memory or disk and takes no messages, results neither: free memory or disk space there"
)
"""What it means, and what to do."""


def is_in_alarm(broker: Broker) -> bool:
    """Whether the broker has told that it takes nothing that this program publishes."""
    return broker.links["publishing"] is LinkState.BLOCKED


def feel_pulse(broker: Broker, topology: Topology) -> None:
    """Publish what nobody gets, without waiting: in an alarm, `is_in_alarm` says so soon after.

    For a program that publishes nothing by itself. Where no host has ever started it finds nothing out.
    """
    broker.announce(topology.control, PULSE, Message(b"", state_of=PULSE))
