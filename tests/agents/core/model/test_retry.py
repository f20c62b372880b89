import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelCircuitOpen,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
    TimeoutPhase,
)
from agents.core.model.retry import CAP_SECONDS, retry_delay

TRANSIENT = [ModelUnreachable("x"), ModelServerError("x"), IncompleteStream("x"), ModelOverloaded("x")]
FINAL = [
    ModelTimeout("x", which=TimeoutPhase.TOTAL),
    ModelCircuitOpen("x"),
    ModelNotFound("x"),
    BadModelRequest("x"),
    ModelOverloaded("x", retry_after=60),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_a_failure_in_passing_is_tried_again_until_retries_are_used_up(error: ModelError) -> None:
    delays = [retry_delay(error, failures, 3, draw=lambda: 1.0) for failures in range(1, 5)]
    assert delays == [0.2, 0.4, 0.8, None]


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
def test_what_would_fail_again_is_raised_at_once(error: ModelError) -> None:
    assert retry_delay(error, 1, 3) is None


def test_without_retries_there_is_none() -> None:
    assert retry_delay(ModelServerError("x"), 1, 0) is None


def test_the_servers_own_wish_is_kept() -> None:
    assert retry_delay(ModelOverloaded("x", retry_after=1.5), 1, 3) == 1.5


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_short_and_never_nothing(failures: int, draw: float) -> None:
    delay = retry_delay(ModelServerError("x"), failures, failures, draw=lambda: draw)
    assert delay is not None
    assert 0.1 <= delay <= CAP_SECONDS
