from typing import Any

import pytest

from agents.core.model.errors import IncompleteStream, ModelNotFound, ModelServerError
from agents.core.model.pulling import Pull, PullProgress


def test_a_pull_ends_whole_with_success_alone() -> None:
    pull = Pull("m")
    assert pull.add({"status": "pulling manifest"}) == PullProgress("pulling manifest")
    with pytest.raises(IncompleteStream, match="the pull of 'm' ended unfinished at 'pulling manifest'"):
        pull.check_finished()
    pull.add({"status": "success"})
    pull.check_finished()


def test_a_step_tells_its_file_and_its_bytes() -> None:
    line = {"status": "pulling 797b", "digest": "sha256:797b", "total": 100, "completed": 40}
    assert Pull("m").add(line) == PullProgress("pulling 797b", 40, 100, "sha256:797b")


def test_an_error_line_says_that_the_model_cannot_be_had() -> None:
    with pytest.raises(ModelNotFound, match="pulling it failed: file does not exist") as caught:
        Pull("m").add({"error": "file does not exist"})
    assert caught.value.model == "m"


@pytest.mark.parametrize("line", [{"status": 5}, {"status": "pulling", "total": -1}])
def test_a_step_of_another_shape_is_the_servers_fault(line: dict[str, Any]) -> None:
    with pytest.raises(ModelServerError, match="a step of the pull has an unknown shape"):
        Pull("m").add(line)
