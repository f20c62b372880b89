"""What the breaker tells: events, callbacks, statistics, and sentences about bad arguments."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from agents.core.circuit_breaker import Backoff, CircuitBreaker, CircuitState, FailureRate
from tests.support.clock import FakeClock
from tests.support.tripping import trip

STAT_KEYS = {
    "name",
    "state",
    "failure_threshold",
    "recovery_timeout",
    "total_requests",
    "successful_requests",
    "failed_requests",
    "consecutive_failures",
    "success_rate",
    "trip_count",
    "average_response_time",
    "last_failure_time",
    "last_success_time",
    "state_changed_at",
    "time_until_retry",
}
MORE_KEYS = {"rejected_requests", "slow_requests", "window_requests", "window_failure_rate"}


async def test_callbacks_and_events_tell_each_transition(breaker: CircuitBreaker, clock: FakeClock) -> None:
    seen: list[tuple[CircuitState, CircuitState]] = []
    breaker.add_state_change_callback(lambda old, new: seen.append((old, new)))
    with capture_logs() as logs:
        trip(breaker)
        clock.now = 10
        breaker.acquire().success()
    assert [(str(old), str(new)) for old, new in seen] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    told = [entry for entry in logs if entry["log_level"] != "debug"]
    assert [entry["event"] for entry in told] == ["breaker.opened", "breaker.half_open", "breaker.closed"]
    assert told[0] == {
        "event": "breaker.opened",
        "log_level": "warning",
        "breaker": "model",
        "old": "closed",
        "failures": 2,
        "seconds": 10,
    }


def test_an_error_in_a_callback_is_logged_and_breaks_nothing(breaker: CircuitBreaker) -> None:
    seen: list[CircuitState] = []

    def broken(_old: CircuitState, _new: CircuitState) -> None:
        raise RuntimeError("dashboard away")

    breaker.add_state_change_callback(broken)
    breaker.add_state_change_callback(lambda _old, new: seen.append(new))
    with capture_logs() as logs:
        trip(breaker)
    assert seen == [CircuitState.OPEN]
    assert "breaker.callback_failed" in [entry["event"] for entry in logs]


def test_a_callback_may_look_at_the_breaker(breaker: CircuitBreaker) -> None:
    seen: list[str] = []
    breaker.add_state_change_callback(lambda _old, _new: seen.append(breaker.get_stats()["state"]))
    trip(breaker)
    assert seen == ["open"]


def test_statistics_have_the_keys_of_the_seed_and_dates_in_epoch_seconds(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    stats = breaker.get_stats()
    assert stats.keys() == STAT_KEYS | MORE_KEYS
    assert (stats["last_failure_time"], stats["last_success_time"], stats["state_changed_at"]) == (None, None, None)
    assert (stats["success_rate"], breaker.failure_rate, stats["average_response_time"]) == (1, 0, 0)
    first, second = breaker.acquire(), breaker.acquire()
    clock.now = 2
    first.success()
    clock.now = 4
    second.failure()
    trip(breaker)
    stats = breaker.get_stats()
    assert (stats["last_success_time"], stats["last_failure_time"], stats["state_changed_at"]) == (1002, 1004, 1004)
    assert stats["average_response_time"] == 2
    assert stats["success_rate"] == pytest.approx(1 / 3)
    assert (stats["name"], stats["trip_count"], stats["time_until_retry"]) == ("model", 1, 10)


def test_a_breaker_has_the_defaults_of_the_seed() -> None:
    stats = CircuitBreaker().get_stats()
    assert (stats["failure_threshold"], stats["recovery_timeout"], stats["name"]) == (5, 60, "circuit_breaker")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"failure_threshold": 0}, "failure_threshold is 0: use a whole number of at least 1"),
        ({"recovery_timeout": -1}, "recovery_timeout is -1: use a number of at least 0"),
        ({"recovery_timeout": float("nan")}, "recovery_timeout is nan: use a number of at least 0"),
        ({"timeout": 0}, "timeout is 0: use a number of seconds above 0, or None for no limit"),
        ({"slow_call_seconds": 0}, "slow_call_seconds is 0: use a number of seconds above 0, or None for no limit"),
        ({"half_open_max_calls": 0}, "half_open_max_calls is 0: use a whole number of at least 1"),
        ({"expected_exception": int}, "expected_exception is <class 'int'>: use an exception class"),
        ({"expected_exception": (OSError, 3)}, "expected_exception is .*, 3.*: use an exception class"),
    ],
)
def test_a_bad_argument_is_named_with_its_remedy(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CircuitBreaker(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "arguments", "sentence"),
    [
        (FailureRate, {"threshold": 0}, "threshold is 0: use a share of the calls above 0 and up to 1"),
        (FailureRate, {"threshold": 1.5}, "threshold is 1.5: use a share of the calls above 0 and up to 1"),
        (FailureRate, {"minimum_calls": 0}, "minimum_calls is 0: use a whole number of at least 1"),
        (FailureRate, {"window": 10.5}, "window is 10.5: use a whole number of at least 1"),
        (FailureRate, {"window": 9}, r"window is 9: use at least minimum_calls \(10\)"),
        (Backoff, {"factor": 0.5}, "factor is 0.5: use a number of at least 1"),
        (Backoff, {"cap": float("inf")}, "cap is inf: use a number of at least 0"),
        (Backoff, {"jitter": 2}, "jitter is 2: use a share of the wait from 0 to 1"),
    ],
)
def test_a_bad_rule_is_named_with_its_remedy(
    rule: Callable[..., object], arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        rule(**arguments)
