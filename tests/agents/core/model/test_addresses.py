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
    with pytest.raises(ValueError, match="and a comma as %2C") as caught:
        server_addresses("http://me:hunter2,hunter3@a:11434")
    assert "hunter" not in str(caught.value)
    assert list(server_addresses("http://me:hunter2%2Chunter3@a:11434")) == ["http://a:11434"]


@pytest.mark.parametrize(
    "given",
    [
        "http://u:12,hunter@h",
        "http://u:12,34,hunter@h",
        "http://u:12,u:12,hunter@h",
        "http://u:12,hunter/x@h",
        "http://u:hunter@x,hunter@h,http://b",
        "http://u:12/hunter@h:9",
        "http://a,http://u:12/hunter@h:9",
    ],
)
def test_what_may_be_an_unquoted_password_is_refused_with_the_remedy_and_not_shown(given: str) -> None:
    with pytest.raises(ValueError, match="in a user name or password, write @ as %40, / as %2F") as caught:
        server_addresses(given)
    assert "hunter" not in str(caught.value)
    assert "12" not in str(caught.value).replace("%2", "").replace("11434", "")


def test_credentials_of_a_later_server_need_its_scheme_and_those_in_a_sequence_do_not() -> None:
    with pytest.raises(ValueError, match=r"number 2 .* has an @ and no scheme: .* begin it with http://"):
        server_addresses("http://a,me:pw@b")
    assert list(server_addresses("http://a,http://me:pw@b")) == ["http://a", "http://b"]
    assert list(server_addresses(["http://a", "me:pw@b"])) == ["http://a", "http://b"]
    assert list(server_addresses(",me:pw@b")) == ["http://b"]
