"""A host's ear on the control exchange: what is said while it listens, and what was said before it started."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Self
from uuid import uuid4

import structlog

from bus.broker import Broker, ConsumerState
from bus.codec import decode_control, encode_control
from bus.ending import end_tasks
from bus.errors import BusError, DecodeError
from bus.listener import Listener
from bus.returns import Returns
from bus.routing_keys import EVERYBODY, REPORTS_WANTED, RETURNS_OF_ALL, returned_key
from bus.topology import Topology
from schemas import (
    CancelTask,
    Control,
    DrainHost,
    Hello,
    Order,
    PauseAgents,
    ReportRequest,
    ResumeAgents,
    Returned,
    now,
)

log = structlog.get_logger(__name__)

LOOK_BACK: Final = timedelta(days=1)
"""How old a cancellation may be for a host that has just started to obey it. A longer wait has a deadline."""

LOOK_BACK_SECONDS: Final = 15.0
"""A log that does not answer, as one whose nodes are down, must not keep a host from its work."""

LISTENING_SECONDS: Final = 5.0
"""The same for a queue of its own that delivers nothing yet, as while the broker is away."""

LOG_DAYS: Final = timedelta(days=8)
"""More than the control log keeps."""

HELLO_SECONDS: Final = 86_400.0
"""Between two greetings, so that the control log, which forgets after days, goes on knowing who there is."""

HELLO_TIMEOUT_SECONDS: Final = 5.0

HELLO_AGAIN_SECONDS: Final = 60.0
"""Before a greeting that could not be said is tried again."""


class ControlLink:
    """Hears what is said to the agents of one host, and calls `on_cancel`. Used inside `async with`.

    Cancellations from before the start are read from the control log, and again after a lost connection. On a broker
    without streams there is no such log: what is said while no host listens is then not heard.
    """

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        host: str,
        agents: Sequence[str],
        on_cancel: Callable[[CancelTask], None],
        *,
        returns: Returns | None = None,
        on_arrival: Callable[[str, int], None] | None = None,
        on_order: Callable[[Order], None] | None = None,
        on_watcher: Callable[[], None] | None = None,
    ) -> None:
        """`returns` is told what all hosts hand back, this one too; None hears nothing of it.

        `on_arrival` is then called with the agent and the priority of what goes back. `on_order` is called with what
        operators say to this host, or to all; what was said before the host listened is not obeyed.
        `on_watcher` is called whenever somebody wants reports.
        """
        self._broker = broker
        self._topology = topology
        self._on_cancel = on_cancel
        self._returns = returns
        self._on_arrival = on_arrival
        self._on_order = on_order
        self._on_watcher = on_watcher
        self._listener = Listener(
            broker,
            topology,
            "control",
            decode_control,
            exchange=topology.control,
            keys=(EVERYBODY, REPORTS_WANTED, *agents, *([] if returns is None else [RETURNS_OF_ALL])),
            name=f"{host}-{uuid4().hex[:4]}",
            on_state=self._note_state,
        )
        self._hello = Hello(host=host, agents=tuple(agents), queue=self._listener.queue)
        self._tasks: list[asyncio.Task[None]] = []
        self._was_lost = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        # Where a hundred agents start, it would come after them, and their first tasks before what is said of those.
        await self._until_listening()
        # After the queue is there and before any task is taken: nothing may be said in between.
        await self._look_back()
        self._tasks = [
            asyncio.create_task(self._listen(), name=f"control:{self._hello.host}"),
            asyncio.create_task(self._look_back_again(), name=f"control-log:{self._hello.host}"),
            asyncio.create_task(self._greet(), name=f"hello:{self._hello.host}"),
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await end_tasks(self._tasks)
        await self._listener.__aexit__(*exc_info)

    async def _listen(self) -> None:
        async for control in self._listener:
            self._obey(control)

    def _obey(self, control: Control) -> None:
        match control:
            case CancelTask():
                said = {} if control.reason is None else {"reason": control.reason}
                log.info("control.cancel", task=control.task_id, **said)
                self._on_cancel(control)
            case Hello():
                log.debug("control.hello", host=control.host)
                self._tell_newcomer()
            case Returned():
                self._note_returned(control)
            case PauseAgents() | ResumeAgents() | DrainHost():
                self._pass_on(control)
            case ReportRequest():
                if self._on_watcher is not None:
                    self._on_watcher()

    def _note_returned(self, returned: Returned) -> None:
        if self._returns is not None:
            self._returns.note(*returned.digests)
        if self._on_arrival is not None and returned.agent is not None:
            self._on_arrival(returned.agent, returned.priority or 0)

    def _pass_on(self, order: Order) -> None:
        if self._on_order is not None and order.host in (None, self._hello.host):
            log.info("control.order", order=order.kind.value, host=order.host)
            self._on_order(order)

    def _tell_newcomer(self) -> None:
        """Tell a host that has just started what it has missed of what went back."""
        digests = () if self._returns is None else self._returns.latest()
        if digests:
            word = encode_control(Returned(host=self._hello.host, digests=digests))
            self._broker.announce(self._topology.control, returned_key(), word)

    def _note_state(self, state: ConsumerState) -> None:
        if state is ConsumerState.LOST:
            self._was_lost.set()

    async def _until_listening(self) -> None:
        try:
            async with asyncio.timeout(LISTENING_SECONDS):
                await self._listener.until_consuming()
        except TimeoutError:
            log.debug("control.unheard", queue=self._listener.queue, seconds=LISTENING_SECONDS)

    async def _look_back_again(self) -> None:
        """After a loss, the queue may have expired meanwhile: what was said to it is still in the log."""
        while True:
            await self._was_lost.wait()
            await self._listener.until_consuming()
            self._was_lost.clear()
            await self._look_back()

    async def _look_back(self) -> None:
        try:
            async with (
                asyncio.timeout(LOOK_BACK_SECONDS),
                aclosing(controls_since(self._broker, self._topology, LOOK_BACK)) as controls,
            ):
                async for control in controls:
                    if isinstance(control, CancelTask):
                        self._on_cancel(control)
        except (BusError, TimeoutError) as error:
            log.debug("control.log_missing", reason=str(error) or "timed out")

    async def _greet(self) -> None:
        while True:
            pause = HELLO_SECONDS if await self._has_greeted() else HELLO_AGAIN_SECONDS
            await asyncio.sleep(pause)

    async def _has_greeted(self) -> bool:
        hello = encode_control(self._hello.model_copy(update={"timestamp": now()}))
        try:
            await self._broker.publish(
                self._topology.control, EVERYBODY, hello, mandatory=False, timeout=HELLO_TIMEOUT_SECONDS
            )
        except BusError as error:
            log.debug("control.not_greeted", reason=str(error))
            return False
        return True


async def controls_since(broker: Broker, topology: Topology, ago: timedelta) -> AsyncGenerator[Control, None]:
    """Iterate over the control messages of the last while, oldest first.

    Raises:
        TopologyError: there is no control log.
    """
    async with aclosing(broker.read_log(topology.control_log, now() - ago)) as messages:
        async for message in messages:
            try:
                yield decode_control(message)
            except DecodeError as error:
                log.debug("control.unreadable", reason=str(error))


async def crews_since(broker: Broker, topology: Topology, ago: timedelta) -> AsyncGenerator[tuple[str, ...], None]:
    """Iterate over the agents of each host that has said hello in the last while, as the log is read.

    Raises:
        TopologyError: there is no control log.
    """
    async with aclosing(controls_since(broker, topology, ago)) as controls:
        async for control in controls:
            if isinstance(control, Hello):
                yield control.agents


async def known_agents(broker: Broker, topology: Topology) -> set[str]:
    """Return the names of the agents whose hosts have been here in the last days; empty without a control log."""
    found: set[str] = set()
    try:
        async with aclosing(crews_since(broker, topology, LOG_DAYS)) as crews:
            async for agents in crews:
                found.update(agents)
    except BusError as error:
        log.debug("control.log_missing", reason=str(error))
    return found
