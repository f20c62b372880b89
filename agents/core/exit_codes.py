"""Exit codes of every program of this product, and the errors they stand for. docs/exit-codes.md lists them."""

from enum import IntEnum

from agents.core.agent_files.errors import AgentFileError
from agents.core.hooks import StartFailed
from agents.core.model.errors import ModelError
from agents.core.settings import SettingsError
from bus.errors import (
    BrokerUnreachable,
    BusError,
    ConnectError,
    ConnectionLost,
    InvalidAddress,
    InvalidTask,
    PrivateNodeError,
    PublishError,
    PublishTimeout,
    ReplyTimeout,
    TopologyError,
    UnknownAgent,
)


class ExitCode(IntEnum):
    """What a program's end means to a script."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    BROKER_UNREACHABLE = 3
    BROKER_REFUSES = 4
    UNKNOWN_AGENT = 5
    TASK_NOT_COMPLETED = 6
    TIMED_OUT = 7
    MODEL = 8
    REFUSED = 9
    INTERRUPTED = 130
    UNREAD = 141


KNOWN_ERRORS = (BusError, PrivateNodeError, SettingsError, AgentFileError, ModelError, StartFailed)
"""Errors whose text is one clear sentence: they are shown without a traceback."""

_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (BrokerUnreachable, ExitCode.BROKER_UNREACHABLE),
    (ConnectionLost, ExitCode.BROKER_UNREACHABLE),
    (PrivateNodeError, ExitCode.BROKER_UNREACHABLE),
    (UnknownAgent, ExitCode.UNKNOWN_AGENT),
    (InvalidAddress, ExitCode.USAGE),
    (InvalidTask, ExitCode.USAGE),
    (ConnectError, ExitCode.BROKER_REFUSES),
    (TopologyError, ExitCode.BROKER_REFUSES),
    (PublishTimeout, ExitCode.TIMED_OUT),
    (PublishError, ExitCode.BROKER_REFUSES),
    (ReplyTimeout, ExitCode.TIMED_OUT),
    (ModelError, ExitCode.MODEL),
    (SettingsError, ExitCode.USAGE),
    (AgentFileError, ExitCode.USAGE),
    (TimeoutError, ExitCode.TIMED_OUT),
)


def exit_code_of(error: Exception) -> ExitCode:
    """Return the code for an error; for that of an agent's start, the code of its reason."""
    reason = error.__cause__ if isinstance(error, StartFailed) else error
    return next((code for kind, code in _CODES if isinstance(reason, kind)), ExitCode.UNEXPECTED)
