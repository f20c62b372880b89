"""Everything that can go wrong on the way, and what a handler may say about a task.

BusError
├── ConnectError              no connection to the broker; the text says what to do
│   ├── InvalidAddress        no address of a broker
│   ├── BrokerUnreachable
│   ├── AccessRefused         wrong user or password
│   └── VhostRefused          missing virtual host, or no permission for it
├── ConnectionLost            the connection went away under an operation; it comes back by itself
├── TopologyError             a queue or exchange is missing, or differs from what is expected
│   ├── UnknownAgent          no task queue of that name
│   └── LogUnavailable        no log of that name, or streams are off
├── PublishError
│   ├── Unroutable            a mandatory message reached no queue
│   ├── MessageTooLarge       larger than the broker takes
│   ├── QueueFull             the queue refused it (reject-publish)
│   └── PublishTimeout        not confirmed in time; it may still arrive
├── DecodeError               a body that is no task, result, event or report; `.raw` holds it
├── InvalidTask               a task that a program asked for cannot be: nothing was sent; a ValueError too
└── ReplyTimeout              no result in time

HandlerError                  raised by handlers on purpose; `.code` is a stable word for programs
├── RetryableError            again later, one attempt used; `.retry_after` seconds at least
├── PermanentError            never again
├── RejectedError             the task itself is invalid: a `rejected` result
└── NotNowError               not this task's fault: handed back, no attempt used

PrivateNodeError              a RabbitMQ node of one's own does not do what it is told
"""


class BusError(Exception):
    """Base of all errors of the bus. The text is one sentence for people, without secrets."""


class ConnectError(BusError):
    """No connection to the broker."""


class InvalidAddress(ConnectError):
    """What was given is no address of a broker."""


class BrokerUnreachable(ConnectError):
    """Nobody answers AMQP at the address, or it did not in time."""


class AccessRefused(ConnectError):
    """The broker refuses the user name or the password."""


class VhostRefused(ConnectError):
    """The virtual host does not exist, or the user may not open it."""


class ConnectionLost(BusError):
    """The connection went away under an operation. It is being re-established; try again."""


class TopologyError(BusError):
    """A queue or an exchange is missing, differs from what is expected, or may not be used."""


class UnknownAgent(TopologyError):
    """No queue takes tasks for this agent: nobody has ever started or declared it."""

    def __init__(self, agent: str, remedy: str = "check the name, or start it first") -> None:
        self.agent = agent
        super().__init__(f"no agent {agent!r} is known to this broker, where no queue takes its tasks: {remedy}")


class LogUnavailable(TopologyError):
    """There is no such log: streams are turned off on this broker, or nobody has declared it yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"there is no log {name!r} on this broker: start an agent or run `sutazai topology`, which make it, and if "
            "that is done already turn streams on there (`rabbitmqctl enable_feature_flag stream_queue`)"
        )


class PublishError(BusError):
    """The broker did not take a message."""


class Unroutable(PublishError):
    """A mandatory message reached no queue."""


class MessageTooLarge(PublishError):
    """The message is larger than the broker's `max_message_size` (16 MiB from RabbitMQ 4.0 on)."""


class QueueFull(PublishError):
    """A queue at its length limit refused the message; nothing was dropped."""


class PublishTimeout(PublishError):
    """The broker did not confirm in time. The message may still arrive: consumers drop duplicates by task id."""


class DecodeError(BusError):
    """A message body that cannot be read. `raw` holds its bytes."""

    def __init__(self, reason: str, raw: bytes) -> None:
        self.raw = raw
        super().__init__(reason)


class InvalidTask(BusError, ValueError):
    """What a program asked for is no task: an argument is invalid, and nothing was sent."""


class ReplyTimeout(BusError):
    """No result came in time. The task itself goes on."""


class HandlerError(Exception):
    """Base of what a handler raises on purpose."""

    code = "handler_error"
    quotes = False
    """Whether its text may quote what a task brought or a model answered: then results and dead letters tell it, and
    the log does not."""


class RetryableError(HandlerError):
    """The task may succeed later: it goes to the delay ladder, one attempt used."""

    code = "retryable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class PermanentError(HandlerError):
    """The task will never succeed: it is dead-lettered at once."""

    code = "permanent"


class RejectedError(HandlerError):
    """The task itself is invalid, whoever works on it: it is answered with a `rejected` result."""

    code = "invalid_task"
    quotes = True


class NotNowError(HandlerError):
    """Not this task's fault and not its turn: the delivery is handed back, and no attempt is used."""

    code = "not_now"


class PrivateNodeError(Exception):
    """A private node did not start, did not do what it was told, or did not end."""
