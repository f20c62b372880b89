import pytest

from bus.envelope import Envelope
from bus.outcome import (
    Buried,
    Finished,
    HandedBack,
    Outcome,
    Postponed,
    TriedAgain,
    outcome_of_cancel,
    outcome_of_result,
)
from bus.retry import Failure
from bus.spent import Spent, with_spent
from schemas import TaskResult, TaskStatus, Usage
from tests.support.entries import entry_of

COST = Usage(slot_wait=1.0, tokens_in=10, tokens_out=4, generation_time=2.0, model_calls=1)
FAILURE = Failure("permanent", "no", retryable=False)


def spent() -> Spent:
    return Spent(COST, model="tinyllama:latest", server="http://one:11434")


def test_costs_add_up() -> None:
    account = Spent()
    account.add(COST)
    account.add(COST)
    assert (account.usage, account.model) == (COST.plus(COST), None)


def test_a_result_tells_what_the_attempt_has_cost_and_who_answered() -> None:
    outcome = with_spent(outcome_of_cancel(entry_of(), None, 1.0), spent())
    assert isinstance(outcome, Finished)
    ended = outcome.result
    assert ended.usage == COST.plus(Usage(queue_wait=2.0))
    assert (ended.model, ended.server) == ("tinyllama:latest", "http://one:11434")


def test_what_a_handler_says_itself_is_kept_and_counted_once() -> None:
    own = Usage(tokens_out=3, model_calls=1)
    said = TaskResult(task_id="t", status=TaskStatus.COMPLETED, model="mine", server="http://mine", usage=own)
    outcome = with_spent(outcome_of_result(entry_of(), said, 1.0), spent())
    assert isinstance(outcome, Finished)
    assert outcome.result.usage == own.plus(COST).plus(Usage(queue_wait=2.0))
    assert (outcome.result.model, outcome.result.server) == ("mine", "http://mine")


def test_a_buried_result_without_usage_gets_it() -> None:
    outcome = with_spent(Buried(TaskResult(task_id="t", status=TaskStatus.FAILED), FAILURE, "permanent"), spent())
    assert isinstance(outcome, Buried)
    assert (outcome.result.usage, outcome.failure, outcome.reason) == (COST, FAILURE, "permanent")


@pytest.mark.parametrize(
    "outcome",
    [HandedBack("later"), TriedAgain(1_000, 1.0, FAILURE, Envelope(2)), Postponed(1_000, Envelope(1), "not due")],
)
def test_what_has_no_result_yet_stays_as_it_is(outcome: Outcome) -> None:
    assert with_spent(outcome, spent()) is outcome
