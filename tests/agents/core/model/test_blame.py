"""Whose fault a failed call is, as far as its failures tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.blame import FREE_OUTAGES, Excuses, FailedTry, fault_at_server
from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelError,
    ModelOverloaded,
    ModelRefused,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
    TimeoutPhase,
)
from agents.core.model.server import ModelServer
from agents.core.ollama_pool import OllamaConnectionPool

AT_SERVER = [ModelTimeout("late", which=TimeoutPhase.GAP), ModelServerError("500"), IncompleteStream("half")]
ELSEWHERE = [ModelUnreachable("gone"), ModelRefused("401"), ModelOverloaded("503"), BadModelRequest("400")]


@pytest.fixture(scope="module")
def server() -> ModelServer:
    return OllamaConnectionPool("http://ollama").servers.first


@pytest.mark.parametrize("error", AT_SERVER)
def test_a_try_that_the_server_was_at_may_be_to_blame(server: ModelServer, error: ModelError) -> None:
    failures = [FailedTry(error, server, 1.0), FailedTry(ModelUnreachable("gone"), server, 2.0)]
    assert fault_at_server(failures) == failures[0]


@pytest.mark.parametrize("error", ELSEWHERE)
def test_a_try_that_never_reached_a_model_is_not_to_blame(server: ModelServer, error: ModelError) -> None:
    assert fault_at_server([FailedTry(error, server, 1.0)]) is None
    assert fault_at_server([]) is None


def test_the_latest_fault_counts(server: ModelServer) -> None:
    failures = [FailedTry(error, server, n) for n, error in enumerate(AT_SERVER)]
    assert fault_at_server(failures) == failures[-1]


@given(st.lists(st.integers(0, 5)))
def test_each_task_is_excused_from_its_first_outages_and_from_no_more(met: list[int]) -> None:
    excuses = Excuses()
    for position, task in enumerate(met):
        assert excuses.excuse(task) is (met[:position].count(task) < FREE_OUTAGES)


def test_only_the_latest_tasks_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.core.model.blame.TASKS_REMEMBERED", 2)
    excuses = Excuses()
    for task in ["old"] * FREE_OUTAGES + ["new"] * FREE_OUTAGES + ["newest"]:
        assert excuses.excuse(task)
    assert not excuses.excuse("new")
    assert excuses.excuse("old")
