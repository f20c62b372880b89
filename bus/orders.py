"""Saying something to hosts on the control exchange, as programs and operators do."""

from typing import Final

from bus.broker import Broker
from bus.codec import encode_control
from bus.errors import TopologyError
from bus.routing_keys import EVERYBODY
from bus.topology import Topology
from schemas import CancelTask, DrainHost, Order

ORDER_SECONDS: Final = 5.0
"""For the broker to confirm an order: an operator waits for it, and would not have it come as a surprise later."""

CANCEL_SECONDS: Final = 30.0
"""The same for a cancellation, which a program may say while the broker is away for a moment."""

OBEYING_SECONDS: Final = 10.0
"""For a connected host to tell that it has obeyed: it may have much to do, or a machine that has."""


async def say(broker: Broker, topology: Topology, word: CancelTask | Order) -> None:
    """Publish `word` to the hosts of its agent, or to all hosts where it names none.

    Raises:
        TopologyError: no host has ever started here.
        PublishTimeout: the broker did not confirm; it is away or blocked.
    """
    agent = None if isinstance(word, DrainHost) else word.agent
    timeout = CANCEL_SECONDS if isinstance(word, CancelTask) else ORDER_SECONDS
    message = encode_control(word)
    try:
        await broker.publish(topology.control, agent or EVERYBODY, message, mandatory=False, timeout=timeout)
    except TopologyError as error:
        if await broker.queue_info(topology.unrouted) is not None:
            raise
        raise TopologyError(
            f"no host has ever started on this broker (prefix {topology.prefix!r}), so there is nobody to tell: check "
            "the broker's address and the prefix"
        ) from error
