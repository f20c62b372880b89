import pytest

from agents.doctor.facts import CheckedAgent
from agents.doctor.server_look import token_request

AGENTS = [CheckedAgent("a", "tinyllama", 2048), CheckedAgent("b"), CheckedAgent("c", "big:7b")]
INSTALLED = [{"name": "foreign:1b"}, {"name": "tinyllama:latest"}, {"name": "big:7b"}]


def asked(loaded: list[dict[str, object]], installed: list[dict[str, object]] | None = None) -> object:
    request = token_request(AGENTS, INSTALLED if installed is None else installed, loaded)
    return request and (request.model, request.options)


@pytest.mark.parametrize(
    ("loaded", "model", "context"),
    [
        ([{"name": "foreign:1b", "context_length": 1}, {"name": "big:7b", "context_length": 8192}], "big:7b", 8192),
        ([{"name": "foreign:1b", "context_length": 512}], "foreign:1b", 512),
        ([], "tinyllama:latest", 2048),
    ],
)
def test_one_token_is_asked_of_a_loaded_model_if_there_is_one_and_of_a_needed_one_first(
    loaded: list[dict[str, object]], model: str, context: int
) -> None:
    assert asked(loaded) == (model, {"num_predict": 1, "num_ctx": context})


def test_a_context_that_is_not_known_is_left_to_the_server() -> None:
    assert asked([{"name": "big:7b"}]) == ("big:7b", {"num_predict": 1})


def test_no_model_is_loaded_that_nobody_needs() -> None:
    assert asked([], [{"name": "foreign:1b"}]) is None
