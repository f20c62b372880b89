import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bus.retry import RetryPolicy
from schemas import PastAttempt, RetryRules, TaskError, TaskMessage, TaskResult, TaskStatus, now

rules = st.builds(
    RetryRules,
    base=st.none() | st.floats(0, 86_400),
    factor=st.none() | st.floats(1, 100),
    cap=st.none() | st.floats(0, 604_800),
    jitter=st.none() | st.floats(0, 1),
    on=st.none() | st.lists(st.sampled_from(["timeout", "busy"])).map(tuple),
)


@given(rules)
def test_a_task_carries_its_rules_over_the_wire(wanted: RetryRules) -> None:
    task = TaskMessage(agent="a", prompt="x", retry=wanted)
    assert TaskMessage.model_validate_json(task.model_dump_json()).retry == wanted


@given(rules)
def test_every_rule_that_is_allowed_makes_a_policy(wanted: RetryRules) -> None:
    assert RetryPolicy().with_rules(wanted).delay(100) <= 604_800


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base", -1),
        ("base", 86_401),
        ("base", float("nan")),
        ("factor", 0.9),
        ("factor", 101),
        ("factor", float("inf")),
        ("cap", -0.1),
        ("cap", 604_801),
        ("jitter", 1.1),
        ("jitter", "often"),
        ("on", "timeout"),
        ("on", [""]),
        ("on", ["c" * 101]),
        ("on", [7]),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=rf"retry\.{field}"):
        TaskMessage.model_validate({"agent": "a", "prompt": "x", "retry": {field: value}})


def test_a_result_carries_its_history_over_the_wire() -> None:
    error = TaskError(code="timeout", message="slow", retryable=True)
    past = PastAttempt(number=1, host="host-1", error=error, ended_at=now(), seconds=1.5)
    result = TaskResult(task_id="t", status=TaskStatus.COMPLETED, attempt=2, history=(past,), redelivered=True)
    assert TaskResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(("field", "value"), [("number", 0), ("seconds", -1), ("error", "slow"), ("host", None)])
def test_an_attempt_that_makes_no_sense_is_named(field: str, value: object) -> None:
    fields = {"number": 1, "host": "h", "error": {"code": "c", "message": "m"}, "ended_at": now(), field: value}
    with pytest.raises(ValidationError, match=rf"{field}\n"):
        PastAttempt.model_validate(fields)
