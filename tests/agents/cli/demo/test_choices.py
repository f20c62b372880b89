import pytest

from agents.cli.demo.choices import BrokerSource, ModelSource, choose_broker, choose_model, pick_installed


@pytest.mark.parametrize(
    ("environ", "found", "source", "url"),
    [
        ({"AMQP_URL": "amqp://a", "RABBITMQ_URL": "amqp://b"}, True, BrokerSource.GIVEN, "amqp://a"),
        ({"AMQP_URL": "", "RABBITMQ_URL": "amqp://b"}, False, BrokerSource.GIVEN, "amqp://b"),
        ({}, True, BrokerSource.PRIVATE_NODE, ""),
        ({}, False, BrokerSource.MEMORY, "memory://demo"),
    ],
)
def test_the_broker_is_the_given_one_else_one_of_its_own_else_in_memory(
    environ: dict[str, str], *, found: bool, source: BrokerSource, url: str
) -> None:
    choice = choose_broker(environ, server_found=found)
    assert (choice.source, choice.url) == (source, url)


@pytest.mark.parametrize(
    ("environ", "answers", "source", "url"),
    [
        ({"OLLAMA_URL": "http://a", "OLLAMA_BASE_URL": "http://b"}, True, ModelSource.GIVEN, "http://a"),
        ({"OLLAMA_BASE_URL": "http://b"}, False, ModelSource.GIVEN, "http://b"),
        ({"OLLAMA_URL": ""}, True, ModelSource.OLLAMA, "http://localhost:11434"),
        ({}, False, ModelSource.LOCAL, ""),
    ],
)
def test_the_model_server_is_the_given_one_else_the_ollama_here_else_the_local_one(
    environ: dict[str, str], *, answers: bool, source: ModelSource, url: str
) -> None:
    choice = choose_model(environ, ollama_answers=answers)
    assert (choice.source, choice.url) == (source, url)


@pytest.mark.parametrize(
    ("installed", "picked"),
    [
        ([("big:70b", 70), ("tinyllama:latest", 80)], "tinyllama"),
        ([("big:70b", 70), ("small:1b", 1)], "small:1b"),
        ([], "tinyllama"),
    ],
)
def test_an_installed_model_is_preferred_to_a_download(installed: list[tuple[str, int]], picked: str) -> None:
    assert pick_installed("tinyllama", installed) == picked
