"""Names of models: aliases, default tags, and when two names mean one model."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

DEFAULT_TAG: Final = "latest"

ALIASES: Final = MappingProxyType({"tinyllama2.5-coder:7b": "qwen2.5-coder:7b"})
"""Names that no registry has, and what they mean. The one here came into docs/names.md by a search-and-replace."""

_DEFAULT_NAMESPACE: Final = "library/"


def true_name(name: str) -> str:
    """Return what a name stands for where it is an alias, else the name itself."""
    return ALIASES.get(name.strip().casefold(), name.strip())


def resolve_model(name: str) -> str:
    """Return the full name that goes to the server: aliases followed, `:latest` where there is no tag.

    Raises:
        ValueError: the name is empty.
    """
    text = true_name(name)
    if not text:
        raise ValueError("the model name is empty: name an installed model, such as 'tinyllama'")
    has_tag = ":" in text.rsplit("/", 1)[-1]
    return text if has_tag else f"{text}:{DEFAULT_TAG}"


def model_key(name: str) -> str:
    """Return the same text for all names of one model: Ollama ignores case, and `library/` is its default namespace."""
    return resolve_model(name).casefold().removeprefix(_DEFAULT_NAMESPACE)


def is_installed(name: str, installed: Iterable[str]) -> bool:
    """Say whether `name` means one of the models of `/api/tags`."""
    return model_key(name) in {model_key(other) for other in installed}
