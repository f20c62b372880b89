import pytest

from agents.core.bare_urls import without_credentials


@pytest.mark.parametrize(
    ("urls", "shown"),
    [
        ("http://localhost:11434", "http://localhost:11434"),
        ("ollama:11434", "ollama:11434"),
        ("memory://lab", "memory://lab"),
        ("amqp://me:hunter2@h:5672/lab", "amqp://h:5672/lab"),
        ("amqp://me:hunter2@a,amqps://me:hunter2@b", "amqp://a,amqps://b"),
        ("me:hunter2@h", "h"),
        ("https://h/x?token=hunter2", "https://h/x"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(urls: str, shown: str) -> None:
    assert without_credentials(urls) == shown


@pytest.mark.parametrize("password", ["hunter,2", "12/hunter", "hunter@2", "hunter?2", "hunter#2", "http://hunter"])
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_no_piece_of_a_password_is_shown_that_should_have_been_percent_encoded(scheme: str, password: str) -> None:
    assert without_credentials(f"{scheme}me:{password}@h,http://b") == f"{scheme}h,http://b"
