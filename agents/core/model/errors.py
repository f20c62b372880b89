"""What can go wrong at the model server, whose fault it is, and what becomes of the task.

ModelError                        base of all; `.code` is a stable word for programs
├── ModelUnavailable              NotNowError: nobody can be asked now; `.retry_after` seconds or None
│   ├── ModelUnreachable      *   nobody answers at the address
│   ├── ModelRefused          *   somebody answers, but not as an Ollama that lets us in
│   ├── ModelCircuitOpen          the circuit breaker is open: nothing was sent
│   └── ModelPoolClosed           this process is closing its pool
├── ModelTimeout              *   RetryableError: one of its patiences ended; `.which`
├── ModelServerError          *   RetryableError: a 5xx, an error in mid-stream, an unreadable reply
├── IncompleteStream          *   RetryableError: the answer ended without `done: true`
├── ModelOverloaded               RetryableError: the server, or our own queue, says it has too much to do
├── ModelNotFound                 PermanentError: no such model; `.model`
├── InvalidOutput                 PermanentError: the answer does not fit the agent's `output_model`; `.path`
└── BadModelRequest               PermanentError: the request can never succeed
    └── NotSupported              the model cannot do that: embeddings, tools, thinking, images

* also a ModelServerFault: what the circuit breaker counts. An overloaded server is alive and says so;
a bad request or a missing model says nothing about the server.
"""

from enum import StrEnum

from bus.errors import HandlerError, NotNowError, PermanentError, RetryableError


class ModelError(HandlerError):
    """Base of what goes wrong when a model is asked. The text is one sentence for people, without secrets."""

    code = "model_error"


class ModelServerFault(ModelError):
    """The model server failed, not the request. The circuit breaker's `expected_exception`."""


class ModelUnavailable(ModelError, NotNowError):
    """Nobody can be asked now. The task goes back to its queue and loses no attempt."""

    code = "model_unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ModelUnreachable(ModelUnavailable, ModelServerFault):
    """No connection to the model server."""


class ModelRefused(ModelUnavailable, ModelServerFault):
    """The address answers, but not as an Ollama that lets us in: 401, 403, a redirect, an unknown route.

    Every task would fail alike, so the breaker counts it and the tasks stay in their queue until someone mends the
    address, instead of all being dead-lettered.
    """


class ModelCircuitOpen(ModelUnavailable):
    """The circuit breaker is open. Nothing was sent; `retry_after` is the time until it lets a probe through."""


class ModelPoolClosed(ModelUnavailable):
    """The pool is closed, or was closed while the request waited or ran."""


class TimeoutPhase(StrEnum):
    """Which patience ended; the names are those of ModelTimeouts. A late connect is a ModelUnreachable instead."""

    LOAD = "load"
    FIRST_TOKEN = "first_token"  # noqa: S105 - a token of text, not a secret
    GAP = "gap"
    TOTAL = "total"
    CONTROL = "control"
    PULL = "pull"


class ModelTimeout(ModelServerFault, RetryableError):
    """The model server took too long. `which` says for what."""

    code = "model_timeout"

    def __init__(self, message: str, *, which: TimeoutPhase) -> None:
        self.which = which
        super().__init__(message)


class ModelServerError(ModelServerFault, RetryableError):
    """The server failed on its own: a 5xx, an error line in mid-stream, a lost connection, an unreadable reply."""


class IncompleteStream(ModelServerFault, RetryableError):
    """A 200 whose answer ended without `done: true`: some text may have come, but not all."""

    code = "incomplete_stream"


class ModelOverloaded(ModelError, RetryableError):
    """503 or 429, or our own queue is full."""

    code = "model_overloaded"


class ModelNotFound(ModelError, PermanentError):
    """The model is not installed at the server, and could not be pulled."""

    code = "model_not_found"

    def __init__(self, model: str, reason: str = "it is not installed at the server") -> None:
        self.model = model
        self.reason = reason
        super().__init__(f"model {model!r} cannot be used: {reason}; run `ollama pull {model}` there, or name another")


class InvalidOutput(ModelError, PermanentError):
    """An answer is not what the agent's `output_model` asks for. `path` is where, empty for the whole of it.

    Permanent: the model had its chances within the attempt, and further attempts would cost as many calls each. An
    agent or a task that wants them names the code in its retry rules.
    """

    code = "invalid_output"
    quotes = True

    def __init__(self, message: str, *, path: str = "") -> None:
        self.path = path
        super().__init__(message)


class BadModelRequest(ModelError, PermanentError):
    """The request itself is wrong: it fails alike every time."""

    code = "bad_model_request"


class NotSupported(BadModelRequest):
    """The model cannot do what is asked: embeddings, tools, thinking or images."""

    code = "not_supported"


def is_server_failure(exc: BaseException) -> bool:
    """Say whether the circuit breaker counts this: connection, timeout, 5xx, broken stream."""
    return isinstance(exc, ModelServerFault)
