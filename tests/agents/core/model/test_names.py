import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.names import is_installed, model_key, resolve_model

NAMES = st.from_regex(r"[a-zA-Z0-9._/:-]*[a-zA-Z0-9]", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("tinyllama", "tinyllama:latest"),
        (" tinyllama ", "tinyllama:latest"),
        ("tinyllama:1.1b", "tinyllama:1.1b"),
        ("tinyllama2.5-coder:7b", "qwen2.5-coder:7b"),
        ("TinyLlama2.5-Coder:7B", "qwen2.5-coder:7b"),
        ("host.example:5000/me/model", "host.example:5000/me/model:latest"),
        ("host.example:5000/me/model:q4", "host.example:5000/me/model:q4"),
    ],
)
def test_a_name_is_written_out_in_full(name: str, full: str) -> None:
    assert resolve_model(name) == full


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(ValueError, match="the model name is empty: name an installed model"):
        resolve_model(name)


@given(NAMES)
def test_a_full_name_is_its_own_full_name(name: str) -> None:
    assert resolve_model(resolve_model(name)) == resolve_model(name)
    assert model_key(resolve_model(name)) == model_key(name)


@pytest.mark.parametrize("name", ["tinyllama", "tinyllama:latest", "TinyLlama", "library/tinyllama"])
def test_a_tagged_model_name_matches_the_list_of_installed_models(name: str) -> None:
    assert is_installed(name, ["qwen2.5-coder:7b", "tinyllama:latest"])


def test_another_tag_is_another_model() -> None:
    assert not is_installed("tinyllama:1.1b", ["tinyllama:latest"])
