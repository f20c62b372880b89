"""Hypothesis strategies for messages, as any program may write them."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from schemas import TaskMessage, TaskResult, TaskStatus, Usage

names = st.text("az09-", min_size=1, max_size=20).filter(lambda name: name[0] != "-")
ids = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants naive bounds
numbers = st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, values, max_size=2)
extras = st.dictionaries(
    st.sampled_from(["x_one", "x_two"]), values.filter(lambda value: value is not None), max_size=2
)
"""Unknown fields; a null is absent, whatever its name."""

tasks: st.SearchStrategy[TaskMessage] = st.builds(
    lambda extra, **fields: TaskMessage(**fields, **extra),
    extra=extras,
    id=ids,
    agent=names,
    type=texts,
    prompt=texts.filter(str.strip),
    data=values,
    priority=st.integers(0, 9),
    created_at=moments,
    deadline=st.none() | moments,
    timeout=st.none() | st.floats(0.001, 31_536_000),
    stream=st.booleans(),
    max_attempts=st.none() | st.integers(1, 100),
    model=st.none() | texts.filter(bool),
    options=objects,
    parent_id=st.none() | texts,
    metadata=objects,
)

usages = st.builds(
    Usage,
    queue_wait=st.floats(0, 1e6),
    load_time=st.floats(0, 1e6),
    generation_time=st.floats(0, 1e6),
    tokens_in=st.integers(0, 10**9),
    tokens_out=st.integers(0, 10**9),
)

results: st.SearchStrategy[TaskResult] = st.builds(
    lambda extra, **fields: TaskResult(**fields, **extra),
    extra=extras,
    task_id=ids,
    status=st.sampled_from(TaskStatus),
    result=values,
    processing_time=st.floats(0, 1e6),
    error=st.none() | texts,
    timestamp=moments,
    agent=st.none() | names,
    attempt=st.integers(1, 1000),
    usage=st.none() | usages,
    metadata=objects,
)
