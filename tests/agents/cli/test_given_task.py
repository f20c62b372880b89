import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cli.given_task import pairs_of, task_of
from schemas import TaskMessage

keys = st.text(min_size=1).filter(lambda key: "=" not in key)


def typed(**options: object) -> TaskMessage:
    given: dict[str, object] = {"agent": "a", "prompt": "x", "data": None, "metadata": (), "retry": ()}
    return task_of(**(given | options))  # type: ignore[arg-type]


@given(st.dictionaries(keys, st.text()))
def test_pairs_are_read_as_they_are_typed(pairs: dict[str, str]) -> None:
    assert pairs_of([f"{key}={value}" for key, value in pairs.items()], "--x a=b") == pairs


@pytest.mark.parametrize("text", ["", "=", "=v", "key"])
def test_what_is_no_pair_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no KEY=VALUE: write it like --x a=b"):
        pairs_of(["k=v", text], "--x a=b")


def test_what_is_not_typed_has_its_default() -> None:
    task = typed(model=None, id=None)
    assert (task.model, task.retry, task.metadata, task.stream) == (None, None, {}, False)
    assert len(task.id) == 32


def test_retry_rules_are_read_with_their_list_of_codes() -> None:
    rules = typed(retry=["base=2.5", "jitter=0", "on=timeout,connection"]).retry
    assert rules is not None
    assert (rules.base, rules.jitter, rules.on) == (2.5, 0.0, ("timeout", "connection"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retry": ["base=soon"]}, "--retry base = 'soon': Input should be a valid number"),
        ({"retry": ["tries=5"]}, "retry has no key 'tries': it takes base, factor, cap, jitter, on"),
        ({"retry": ["on=,"]}, "--retry on 0 = '': String should have at least 1 character"),
        ({"prompt": " "}, 'a task needs a "prompt"'),
        ({"agent": "A b"}, "agent = 'A b': use lower-case letters, digits and hyphens"),
        ({"priority": "urgent"}, "priority 'urgent' is not known: use a number 0..9"),
        ({"data": "{"}, "--data is no JSON: Expecting property name"),
        ({"data": "[" * 100_000}, "--data is no JSON: maximum recursion depth"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_is_told_with_option_value_and_remedy(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        typed(**options)
