import pytest

from agents.core.model.server_url import DEFAULT_URL, parse_url, url_from_environment


@pytest.mark.parametrize(
    ("text", "address", "credentials"),
    [
        ("http://localhost:11434", "http://localhost:11434", None),
        ("http://ollama:10104/", "http://ollama:10104", None),
        ("ollama:11434", "http://ollama:11434", None),
        (" https://models.example/ollama/ ", "https://models.example/ollama", None),
        ("http://[::1]:11434", "http://[::1]:11434", None),
        ("http://me:p%40ss@models.example:1", "http://models.example:1", ("me", "p@ss")),
        ("http://token@models.example", "http://models.example", ("token", "")),
    ],
)
def test_an_address_is_read_and_its_secrets_are_kept_apart(
    text: str, address: str, credentials: tuple[str, str] | None
) -> None:
    url = parse_url(text)
    assert (url.address, url.credentials) == (address, credentials)
    assert credentials is None or "p@ss" not in repr(url)


@pytest.mark.parametrize("text", ["", "ftp://models.example", "http://me:hunter2@:11434", "http://me:hunter2@h:port"])
def test_what_is_no_http_address_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match="is no http address: write it like http://localhost:11434") as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("localhost", True),
        ("ollama", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("192.168.1.7", True),
        ("8.8.8.8", False),
        ("models.example", False),
    ],
)
def test_only_distant_servers_may_be_meant_by_a_proxy(host: str, near: bool) -> None:
    assert parse_url(f"http://{host}:11434").is_near is near


def test_the_environment_names_the_server() -> None:
    assert url_from_environment({}) == DEFAULT_URL == "http://localhost:11434"
    assert url_from_environment({"OLLAMA_BASE_URL": "http://b"}) == "http://b"
    assert url_from_environment({"OLLAMA_BASE_URL": "http://b", "OLLAMA_URL": "http://a"}) == "http://a"


def test_the_real_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_URL", "http://set")
    assert url_from_environment() == "http://set"


@pytest.mark.parametrize(
    ("url", "tls"),
    [("http://localhost", False), ("https://localhost", True), ("http://models.example", True)],
)
def test_certificates_are_needed_wherever_tls_may_be_spoken(url: str, tls: bool) -> None:
    assert parse_url(url).may_use_tls is tls


@pytest.mark.parametrize("text", ["http://a http://b", "http://a;b", "http://a b", "http://a,b", "a;b"])
def test_several_addresses_are_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no http address: .* and several with a comma between them") as caught:
        parse_url(text)
    assert text in str(caught.value)


@pytest.mark.parametrize("password", ["12/hunter", "12?hunter", "12#hunter", "hunter/2", "12/x@hunter", "p://hunter"])
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_the_rest_of_an_unquoted_password_is_no_path_and_is_not_shown(scheme: str, password: str) -> None:
    with pytest.raises(ValueError, match="write @ as %40, / as %2F, \\? as %3F, # as %23") as caught:
        parse_url(f"{scheme}me:{password}@h:9")
    assert "hunter" not in str(caught.value)
    assert "me:" not in str(caught.value)
