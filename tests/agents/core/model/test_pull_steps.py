import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agents.core.model.pull_steps import PullSteps
from agents.core.model.pulling import PullProgress


@pytest.mark.usefixtures("every_level")
def test_each_step_and_each_tenth_of_the_download_is_told() -> None:
    told: list[int] = []
    steps = PullSteps("m", "http://ollama", lambda: told.append(steps.percent))
    with capture_logs() as logs:
        steps(PullProgress("pulling manifest"))
        for completed in range(101):
            steps(PullProgress("pulling 797b", completed * 10, 1000, "sha256:797b"))
        steps(PullProgress("success"))
    assert {entry["event"] for entry in logs} == {"model.pulling"}
    assert {(entry["model"], entry["url"]) for entry in logs} == {("m", "http://ollama")}
    assert told == [entry["percent"] for entry in logs] == [0, *range(0, 101, 10), 100]


def test_the_percent_is_of_all_files_and_of_the_model_most() -> None:
    steps = PullSteps("m", "http://ollama", lambda: None)
    steps(PullProgress("pulling 1", 450, 900, "sha256:1"))
    assert steps.percent == 50
    steps(PullProgress("pulling 2", 0, 100, "sha256:2"))
    assert steps.percent == 50  # it never goes back
    steps(PullProgress("pulling 1", 900, 900, "sha256:1"))
    assert steps.percent == 90
    steps(PullProgress("pulling 2", 100, 100))  # a server that tells no digest
    assert steps.percent == 90


@given(st.lists(st.builds(PullProgress, st.sampled_from("ab"), st.integers(0, 99), st.integers(0, 50))))
def test_the_percent_never_goes_back_and_never_beyond_100(progress: list[PullProgress]) -> None:
    steps = PullSteps("m", "http://ollama", lambda: None)
    seen = [0]
    for step in progress:
        steps(step)
        seen.append(steps.percent)
    assert seen == sorted(seen)
    assert seen[-1] <= 100
