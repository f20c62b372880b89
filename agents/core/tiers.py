"""Tier: how much an agent asks of a model, and what each tier means in a model and its parameters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final


class Tier(StrEnum):
    """Opus thinks hardest, sonnet is balanced, default does simple tasks."""

    OPUS = "opus"
    SONNET = "sonnet"
    DEFAULT = "default"

    @property
    def variable(self) -> str:
        """The variable of the environment that names this tier's model, such as OLLAMA_OPUS_MODEL."""
        return f"OLLAMA_{self.name}_MODEL"


@dataclass(frozen=True, slots=True)
class TierSettings:
    """A model and its parameters, under the names of docs/names.md. `max_tokens` is Ollama's `num_predict`."""

    model: str
    temperature: float
    max_tokens: int
    top_p: float
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return all six as a mapping."""
        return asdict(self)


TIERS: Final[Mapping[Tier, TierSettings]] = MappingProxyType(
    {
        Tier.OPUS: TierSettings("tinyllama", temperature=0.8, max_tokens=4096, top_p=0.95),
        Tier.SONNET: TierSettings("qwen2.5-coder:7b", temperature=0.7, max_tokens=2048, top_p=0.9),
        Tier.DEFAULT: TierSettings("tinyllama", temperature=0.5, max_tokens=1024, top_p=0.8),
    }
)
"""The tiers of docs/names.md, where no setting says otherwise."""
