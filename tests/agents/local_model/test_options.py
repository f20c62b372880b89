"""The options of a request."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.local_model.errors import ReplyError
from agents.local_model.options import parse_options


def test_without_options_the_defaults_are_those_of_ollama() -> None:
    options = parse_options({}, 2048)
    assert (options.num_ctx, options.num_keep, options.sampling["n_predict"]) == (2048, 4, 20480)
    wanted = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repeat_penalty": 1.0, "seed": -1}
    assert {name: options.sampling[name] for name in wanted} == wanted
    assert options.sampling["stop"] == ["<|im_start|>", "<|im_end|>"]


def test_options_reach_the_engine_under_its_names() -> None:
    given = {"num_predict": 7, "stop": ["x"], "frequency_penalty": 0.5, "presence_penalty": 1, "num_keep": 9}
    options = parse_options(given, 2048)
    assert options.num_keep == 9
    assert options.sampling["n_predict"] == 7
    assert options.sampling["stop"] == ["x"]
    assert (options.sampling["frequency_penalty"], options.sampling["presence_penalty"]) == (0.5, 1)


@pytest.mark.parametrize(("asked", "given"), [(256, 256), (100_000, 8192), (1, 4), (None, 2048)])
def test_a_context_is_kept_within_what_the_model_can(asked: int | None, given: int) -> None:
    assert parse_options({"num_ctx": asked}, 2048).num_ctx == given


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("temperature", "hot", 'option "temperature" must be of type float32'),
        ("num_predict", "many", 'option "num_predict" must be of type integer'),
        ("seed", True, 'option "seed" must be of type integer'),
        ("use_mmap", 1, 'option "use_mmap" must be of type boolean'),
        ("stop", "x", 'option "stop" must be of type array'),
        ("stop", [1], 'option "stop" must be of an array of strings'),
    ],
)
def test_an_option_of_the_wrong_type_is_refused(name: str, value: Any, sentence: str) -> None:  # any JSON
    with pytest.raises(ReplyError) as caught:
        parse_options({name: value}, 2048)
    assert (caught.value.status, caught.value.message) == (500, sentence)


def test_an_unknown_option_is_logged_and_ignored() -> None:
    with capture_logs() as logs:
        assert parse_options({"bogus": 1}, 2048) == parse_options({}, 2048)
    assert [(entry["event"], entry["option"]) for entry in logs] == [("option.unknown", "bogus")]
