import pytest

from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelCircuitOpen,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelPoolClosed,
    ModelRefused,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
    NotSupported,
    TimeoutPhase,
    is_server_failure,
)
from bus.errors import HandlerError, NotNowError, PermanentError, RetryableError

FATES: list[type[HandlerError]] = [NotNowError, PermanentError, RetryableError]

TABLE: list[tuple[ModelError, type[HandlerError], str, bool]] = [
    (ModelUnreachable("x"), NotNowError, "model_unavailable", True),
    (ModelRefused("x"), NotNowError, "model_unavailable", True),
    (ModelCircuitOpen("x"), NotNowError, "model_unavailable", False),
    (ModelPoolClosed("x"), NotNowError, "model_unavailable", False),
    (ModelTimeout("x", which=TimeoutPhase.GAP), RetryableError, "model_timeout", True),
    (ModelServerError("x"), RetryableError, "model_error", True),
    (IncompleteStream("x"), RetryableError, "incomplete_stream", True),
    (ModelOverloaded("x"), RetryableError, "model_overloaded", False),
    (ModelNotFound("x"), PermanentError, "model_not_found", False),
    (BadModelRequest("x"), PermanentError, "bad_model_request", False),
    (NotSupported("x"), PermanentError, "not_supported", False),
]


@pytest.mark.parametrize(("error", "fate", "code", "counted"), TABLE, ids=lambda value: type(value).__name__)
def test_each_error_says_what_becomes_of_the_task_and_whether_the_breaker_counts_it(
    error: ModelError, fate: type[HandlerError], code: str, counted: bool
) -> None:
    assert [kind for kind in FATES if issubclass(type(error), kind)] == [fate]
    assert error.code == code
    assert is_server_failure(error) is counted


def test_an_error_of_somebody_else_is_no_server_failure() -> None:
    assert not is_server_failure(ValueError("x"))


def test_errors_carry_what_their_handler_needs() -> None:
    assert ModelCircuitOpen("x", retry_after=12.5).retry_after == 12.5
    assert ModelOverloaded("x", retry_after=3).retry_after == 3
    assert ModelServerError("x").retry_after is None
    assert ModelTimeout("x", which=TimeoutPhase.TOTAL).which == "total"


def test_a_missing_model_names_the_remedy() -> None:
    error = ModelNotFound("tinyllama:latest")
    assert error.model == "tinyllama:latest"
    assert "run `ollama pull tinyllama:latest`" in str(error)
