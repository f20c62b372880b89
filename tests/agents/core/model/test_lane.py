import pytest

from agents.core.model.errors import BadModelRequest
from agents.core.model.lane import Lane, lane_of


def test_names_of_one_model_share_a_lane() -> None:
    assert lane_of("tinyllama", {}) == lane_of("TinyLlama:latest", {"temperature": 0.1, "num_predict": 5})


@pytest.mark.parametrize("option", ["num_ctx", "num_batch", "num_gpu", "num_thread", "use_mmap"])
def test_an_option_that_reloads_the_runner_is_another_lane(option: str) -> None:
    assert lane_of("tinyllama", {option: 1}) != lane_of("tinyllama", {})
    assert lane_of("tinyllama", {option: None}) == lane_of("tinyllama", {})


def test_a_lane_reads_well() -> None:
    assert str(lane_of("tinyllama", {"num_thread": 2, "num_ctx": 4096})) == "tinyllama:latest num_ctx=4096 num_thread=2"
    assert str(Lane("m")) == "m"


def test_an_option_that_cannot_be_compared_is_a_bad_request() -> None:
    with pytest.raises(BadModelRequest, match=r"option num_ctx is \[1\]"):
        lane_of("tinyllama", {"num_ctx": [1]})
