"""The names the server answers to, and what answers them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agents.local_model.errors import SettingsError
from agents.local_model.weights import SMOLLM2

GENERATING_MODEL: Final = "smollm2:135m"
EMBEDDING_MODEL: Final = "smollm2-embed:latest"
_OWN_NAMES: Final = (GENERATING_MODEL, "smollm2:latest", EMBEDDING_MODEL)


def full_name(name: str) -> str:
    """Return the name the server files a model under: lower case, with a tag, `:latest` where none is given."""
    name = name.strip().lower()
    return name if not name or ":" in name else f"{name}:latest"


@dataclass(frozen=True)
class Model:
    """One name and what stands behind it; two names are two models, even with one file behind both.

    Attributes:
        name: Full name, with a tag.
        answered_by: The model of our own that answers; another family than `name` for a stand-in.
        embeds: It makes embeddings, and no text.
    """

    name: str
    answered_by: str
    embeds: bool

    @property
    def is_stand_in(self) -> bool:
        """Whether another model than the one named answers."""
        return self.name.partition(":")[0] != self.answered_by.partition(":")[0]

    @property
    def digest(self) -> str:
        """64 hex digits, the same for the same name and weights."""
        return hashlib.sha256(f"{self.name} {SMOLLM2.sha256}".encode()).hexdigest()


class Catalogue:
    """All models by name.

    Raises:
        SettingsError: An alias points to a model that does not exist.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._models = {name: _own(name) for name in _OWN_NAMES}
        for alias, target in aliases.items():
            name = full_name(alias)
            self._models[name] = Model(name, *self._behind(alias, target))

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def find(self, name: str) -> Model | None:
        """Return the model called `name`, in any case, with or without `:latest`."""
        return self._models.get(full_name(name))

    def _behind(self, alias: str, target: str) -> tuple[str, bool]:
        name = full_name(target)
        if name not in _OWN_NAMES:
            known = ", ".join(_OWN_NAMES)
            raise SettingsError(f"aliases[{alias!r}] is {target!r}, which is no model here; give one of {known}.")
        own = _own(name)
        return own.answered_by, own.embeds


def _own(name: str) -> Model:
    if name == EMBEDDING_MODEL:
        return Model(name, EMBEDDING_MODEL, embeds=True)
    return Model(name, GENERATING_MODEL, embeds=False)
