from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.delegation_rules import (
    DEEPEST,
    DelegationFailed,
    DelegationRefused,
    child_id,
    child_of,
    content_of,
    lineage_of,
)
from schemas import TaskError, TaskMessage, TaskResult, TaskStatus, now

NOW = now()
PARENT = TaskMessage(
    id="p-1", agent="boss", prompt="Do it", priority=7, metadata={"traceparent": "00-a", "customer": 1}
)


def asked(parent: TaskMessage = PARENT, agent: str = "worker", **fields: Any) -> TaskMessage:
    return child_of(parent, agent, {"prompt": "part", **fields}, NOW)


def below(*agents: str) -> TaskMessage:
    """Return a task of the last agent, at the end of a chain of tasks of these agents."""
    task = TaskMessage(id=f"id-{agents[0]}", agent=agents[0], prompt="x")
    for agent in agents[1:]:
        task = child_of(task, agent, {"prompt": "x"}, NOW).model_copy(update={"id": f"id-{agent}"})
    return task


def test_a_child_has_its_parents_id_priority_trace_and_line() -> None:
    child = asked(metadata={"page": 3})
    assert (child.parent_id, child.priority, child.agent, child.prompt) == ("p-1", 7, "worker", "part")
    lineage = [{"agent": "boss", "id": "p-1"}]
    assert child.metadata == {"traceparent": "00-a", "page": 3, "lineage": lineage}
    assert asked(priority="low").priority == 2
    assert asked(data={"a": 1}, stream=True, type="kind", model="m").type == "kind"


def test_the_line_grows_with_each_task() -> None:
    assert lineage_of(below("a", "b", "c")) == ({"agent": "a", "id": "id-a"}, {"agent": "b", "id": "id-b"})


@pytest.mark.parametrize("foreign", [None, "a", 7, [1, "x", None], [{"id": "x"}], {"agent": "a"}])
def test_what_another_program_put_there_and_is_no_line_is_none(foreign: object) -> None:
    assert lineage_of(TaskMessage(agent="a", prompt="x", metadata={"lineage": foreign})) == ()


@given(of_parent=st.none() | st.integers(-9, 9), of_child=st.none() | st.integers(1, 9))
def test_a_child_never_outlives_its_parent(of_parent: int | None, of_child: int | None) -> None:
    ends = None if of_parent is None else NOW + timedelta(seconds=of_parent)
    child = asked(TaskMessage(agent="boss", prompt="x", deadline=ends), timeout=of_child)
    own = None if of_child is None else NOW + timedelta(seconds=of_child)
    assert child.expires_at() == min((moment for moment in (ends, own) if moment), default=None)
    assert child.timeout is None


def test_a_parents_timeout_is_handed_down_as_the_moment_at_which_it_ends() -> None:
    parent = TaskMessage(agent="boss", prompt="x", timeout=60, created_at=NOW - timedelta(seconds=20))
    assert asked(parent).deadline == NOW + timedelta(seconds=40)


@pytest.mark.parametrize(("chain", "agent"), [(["a"], "a"), (["a", "b"], "a"), (["a", "b", "c"], "b")])
def test_an_agent_that_waits_for_the_task_itself_is_refused_with_the_whole_chain(chain: list[str], agent: str) -> None:
    with pytest.raises(DelegationRefused) as refused:
        asked(below(*chain), agent)
    told = " -> ".join((*chain, agent))
    assert str(refused.value) == (
        f"agent {chain[-1]!r} cannot ask {agent!r}, which waits for it itself: {told}; ask one outside this chain"
    )


def test_a_chain_ends_at_sixteen_tasks() -> None:
    names = [f"a{number}" for number in range(DEEPEST)]
    assert asked(below(*names[:-1]), names[-1]).agent == names[-1]
    with pytest.raises(
        DelegationRefused, match=r"cannot ask 'one-more': a chain of 16 tasks is the longest, and this is"
    ):
        asked(below(*names), "one-more")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": None}, "agent 'worker' cannot be asked: a task needs a"),
        ({"priority": "urgent"}, "agent 'worker' cannot be asked: priority 'urgent' is not known"),
        ({"timeout": 0}, "agent 'worker' cannot be asked: timeout = 0"),
        ({"id": "mine"}, "id = 'mine' cannot be given: a delegated task has it from its parent"),
        ({"parent_id": "mine"}, "parent_id = 'mine' cannot be given"),
        ({"metadata": "mine"}, "metadata = 'mine' is no mapping: give one with text keys"),
        ({"data": object()}, "agent 'worker' cannot be asked what is no JSON: Unable to serialize unknown type"),
    ],
)
def test_what_is_no_task_is_refused_in_one_sentence(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(DelegationRefused) as refused:
        content_of(asked(**fields))
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_an_equal_question_has_an_equal_content_whenever_it_is_asked() -> None:
    later = TaskMessage(id="p-1", agent="boss", prompt="Do it", priority=7, deadline=NOW + timedelta(hours=1))
    first, second = (
        asked(data={"a": 1, "b": 2}),
        child_of(later, "worker", {"prompt": "part", "data": {"b": 2, "a": 1}}, now()),
    )
    assert content_of(first) == content_of(second)
    assert content_of(asked()) != content_of(asked(agent="other")) != content_of(asked(prompt="other"))


def test_an_id_follows_from_parent_question_occurrence_and_repetition() -> None:
    other = PARENT.model_copy(update={"id": "p-2"})
    ids = [child_id(PARENT, "q", 0, 0), child_id(other, "q", 0, 0), child_id(PARENT, "r", 0, 0)]
    ids += [child_id(PARENT, "q", 1, 0), child_id(PARENT, "q", 0, 1)]
    assert len(set(ids)) == len(ids)
    assert {len(one) for one in ids} == {32}
    assert child_id(PARENT, "q", 0, 0) == ids[0] == child_id(PARENT.model_copy(), "q", 0, 0)


@pytest.mark.parametrize(
    ("error", "told"),
    [(TaskError(code="x", message="no luck"), "no luck"), ("plain", "plain"), (None, "no reason was told")],
)
def test_a_failure_tells_which_task_of_whom_ended_how(error: TaskError | str | None, told: str) -> None:
    result = TaskResult(task_id="c-1", agent="worker", status=TaskStatus.EXPIRED, error=error)
    failed = DelegationFailed(result)
    assert str(failed) == f"task c-1 of agent 'worker' ended as expired: {told}"
    assert failed.result is result
