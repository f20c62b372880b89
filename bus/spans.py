"""The spans of the bus: publish, queue wait, process, handle, settle. Their names and attributes are made here.

The names are those of OpenTelemetry's conventions for messaging and for generative AI where these have one, else they
begin with `sutazai`. docs/tracing.md lists them. No body of a message is ever among them.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from typing import Final

from bus.inflight import Entry
from bus.message import Message
from bus.outcome import Buried, Finished, HandedBack, Outcome, Postponed, TriedAgain
from bus.routing_keys import result_key
from bus.topology import Topology
from bus.tracing import Attributes, Kind, Span, origin_of, tracing
from schemas import TaskMessage, TaskResult, TaskStatus, now

_SYSTEM: Final = {"messaging.system": "rabbitmq"}

_FAILED: Final = frozenset((TaskStatus.FAILED, TaskStatus.REJECTED, TaskStatus.EXPIRED))
"""A task that somebody cancelled has not failed."""


def submitting(topology: Topology, task: TaskMessage, message: Message) -> AbstractContextManager[Span]:
    """Make the span of publishing a task, within the context at hand, else the one that its metadata tell."""
    maker = tracing()
    origin = None if maker.context else origin_of(task.metadata)
    tell = partial(_of_submission, topology, task, message)
    return maker.span(f"publish {topology.tasks}:{task.agent}", Kind.PRODUCER, tell, origin=origin)


def answering(topology: Topology, agent: str, result: TaskResult) -> AbstractContextManager[Span]:
    """Make the span of publishing a terminal result, however often that is tried."""
    key = result_key(agent, result.status)
    tell = partial(_of_answer, topology.results, key, result)
    return tracing().span(f"publish {topology.results}:{key}", Kind.PRODUCER, tell)


@contextmanager
def processing(topology: Topology, agent: str, entry: Entry) -> Iterator[None]:
    """Make the spans of one attempt: its wait in the queue, which is over, and all that is done with the delivery.

    Both come from the publisher's span. Of a publisher that tells none, the wait is a part of the attempt.
    """
    maker, queue = tracing(), topology.task_queue(agent)
    origin = origin_of(entry.message.headers) or origin_of(entry.task.metadata)
    with maker.span(f"process {queue}", Kind.CONSUMER, partial(_of_delivery, topology, queue, entry), origin=origin):
        wait = maker.begin("queue wait", partial(_of_task, entry.task), origin=origin, start=_waited_from(entry))
        wait.end()
        yield


def handling(agent: str) -> AbstractContextManager[Span]:
    """Make the span of the handler's own work."""
    return tracing().span(f"invoke_agent {agent}", Kind.INTERNAL, partial(_of_handler, agent))


def settling(agent: str, outcome: Outcome) -> AbstractContextManager[Span]:
    """Tell the attempt's outcome to its span, and make the span of carrying it out."""
    maker = tracing()
    word, failure = _told(outcome)
    maker.current.note({"sutazai.outcome": word})
    if failure is not None:
        maker.current.fail(*failure)
    return maker.span(f"settle {agent}", Kind.CLIENT, partial(_of_settlement, word))


def _waited_from(entry: Entry) -> datetime:
    """Return since when this attempt waits: since the one before it has ended, else since the task was made."""
    history = entry.envelope.history
    return min(history[-1].ended_at if history else entry.task.created_at, now())


def _of_task(task: TaskMessage) -> Attributes:
    return {
        "sutazai.task.id": task.id,
        "sutazai.task.priority": task.priority,
        "sutazai.task.parent_id": task.parent_id,
        "gen_ai.agent.name": task.agent,
    }


def _of_publish(exchange: str, key: str) -> Attributes:
    return {
        **_SYSTEM,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": f"{exchange}:{key}",
        "messaging.rabbitmq.destination.routing_key": key,
    }


def _of_submission(topology: Topology, task: TaskMessage, message: Message) -> Attributes:
    return {
        **_of_publish(topology.tasks, task.agent),
        **_of_task(task),
        "messaging.message.conversation_id": message.correlation_id,
        "messaging.message.body.size": len(message.body),
    }


def _of_answer(exchange: str, key: str, result: TaskResult) -> Attributes:
    told = {"sutazai.task.id": result.task_id, "sutazai.task.status": result.status.value}
    return {**_of_publish(exchange, key), **told}


def _of_delivery(topology: Topology, queue: str, entry: Entry) -> Attributes:
    message, key = entry.message, entry.deliveries[0].routing_key
    exchange = topology.tasks if key == entry.task.agent else topology.retry
    return {
        **_SYSTEM,
        **_of_task(entry.task),
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": f"{exchange}:{key}:{queue}",
        "messaging.rabbitmq.destination.routing_key": key,
        "messaging.message.id": message.message_id,
        "messaging.message.conversation_id": message.correlation_id,
        "messaging.message.body.size": len(message.body),
        "sutazai.attempt": entry.attempt,
        "sutazai.redelivered": entry.redelivered,
    }


def _of_handler(agent: str) -> Attributes:
    return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}


def _of_settlement(outcome: str) -> Attributes:
    told = {"messaging.operation.name": "settle", "messaging.operation.type": "settle"}
    return {**_SYSTEM, **told, "sutazai.outcome": outcome}


def _told(outcome: Outcome) -> tuple[str, tuple[str, str] | None]:
    """Return an outcome in a word, and its failure, if it is one, as a stable word and a sentence."""
    match outcome:
        case Finished(result):
            return result.status.value, _failure_of(result)
        case Buried(result, failure):
            return result.status.value, (failure.code, failure.logged)
        case TriedAgain(failure=failure):
            return "retried", (failure.code, failure.logged)
        case Postponed():
            return "postponed", None
        case HandedBack():
            return "handed_back", None


def _failure_of(result: TaskResult) -> tuple[str, str] | None:
    if result.status not in _FAILED:
        return None
    error = result.error
    return getattr(error, "code", "failed"), getattr(error, "message", str(error))
