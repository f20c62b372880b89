"""TierFields: the settings of each tier, its model and its parameters."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from agents.core.model.names import true_name
from agents.core.tiers import TIERS, Tier, TierSettings

ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(true_name)]
Temperature = Annotated[float, Field(ge=0, le=2)]
MaxTokens = Annotated[int, Field(ge=1)]
TopP = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
"""The bounds of temperature and penalties are those of the chat APIs that these names come from."""


def _of(tier: Tier, parameter: str) -> Any:
    """Return a field whose default is that of TIERS, and whose variable is OLLAMA_<TIER>_<PARAMETER>."""
    return Field(getattr(TIERS[tier], parameter), validation_alias=f"OLLAMA_{tier.name}_{parameter.upper()}")


class TierFields(BaseModel):
    """The model and the parameters that each tier has by the settings."""

    ollama_opus_model: ModelName = _of(Tier.OPUS, "model")
    ollama_opus_temperature: Temperature = _of(Tier.OPUS, "temperature")
    ollama_opus_max_tokens: MaxTokens = _of(Tier.OPUS, "max_tokens")
    ollama_opus_top_p: TopP = _of(Tier.OPUS, "top_p")
    ollama_opus_frequency_penalty: Penalty = _of(Tier.OPUS, "frequency_penalty")
    ollama_opus_presence_penalty: Penalty = _of(Tier.OPUS, "presence_penalty")

    ollama_sonnet_model: ModelName = _of(Tier.SONNET, "model")
    ollama_sonnet_temperature: Temperature = _of(Tier.SONNET, "temperature")
    ollama_sonnet_max_tokens: MaxTokens = _of(Tier.SONNET, "max_tokens")
    ollama_sonnet_top_p: TopP = _of(Tier.SONNET, "top_p")
    ollama_sonnet_frequency_penalty: Penalty = _of(Tier.SONNET, "frequency_penalty")
    ollama_sonnet_presence_penalty: Penalty = _of(Tier.SONNET, "presence_penalty")

    ollama_default_model: ModelName = _of(Tier.DEFAULT, "model")
    ollama_default_temperature: Temperature = _of(Tier.DEFAULT, "temperature")
    ollama_default_max_tokens: MaxTokens = _of(Tier.DEFAULT, "max_tokens")
    ollama_default_top_p: TopP = _of(Tier.DEFAULT, "top_p")
    ollama_default_frequency_penalty: Penalty = _of(Tier.DEFAULT, "frequency_penalty")
    ollama_default_presence_penalty: Penalty = _of(Tier.DEFAULT, "presence_penalty")

    @property
    def tiers(self) -> Mapping[Tier, TierSettings]:
        """What each tier means in a model and its parameters."""
        return {tier: self._tier(tier) for tier in Tier}

    def _tier(self, tier: Tier) -> TierSettings:
        names = [item.name for item in fields(TierSettings)]
        return TierSettings(**{name: getattr(self, f"ollama_{tier.value}_{name}") for name in names})
