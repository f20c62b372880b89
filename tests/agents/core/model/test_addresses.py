import pytest

from agents.core.model.addresses import server_addresses


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("http://a:11434", ["http://a:11434"]),
        ("a", ["http://a"]),
        (" http://a:1 , b:2,", ["http://a:1", "http://b:2"]),
        (["http://a", "http://b/x/"], ["http://a", "http://b/x"]),
    ],
)
def test_one_or_several_servers_are_named_by_their_addresses(given: str | list[str], names: list[str]) -> None:
    assert list(server_addresses(given)) == names


def test_names_show_no_password_and_addresses_keep_it() -> None:
    assert server_addresses("http://me:hunter2@a,http://b") == {
        "http://a": "http://me:hunter2@a",
        "http://b": "http://b",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "no model server is named: give an address such as http://localhost:11434"),
        (" , ", "no model server is named"),
        ("ftp://a", "'ftp://a' is no http address"),
        ("http://a,ftp://b", "number 2 of the model servers' addresses is no http address"),
        ("http://a,a", "the model server 'http://a' is named twice: name each once"),
        ("http://x@a,http://y@a", "the model server 'http://a' is named twice"),
    ],
)
def test_a_bad_address_is_refused_with_its_remedy(given: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        server_addresses(given)


def test_a_comma_in_a_password_does_not_bring_it_to_light() -> None:
    with pytest.raises(ValueError, match="a comma in a password as %2C") as caught:
        server_addresses("http://me:hunter2,hunter3@a:11434")
    assert "hunter" not in str(caught.value)
    assert list(server_addresses("http://me:hunter2%2Chunter3@a:11434")) == ["http://a:11434"]
