"""OllamaConfig: which model an agent asks, and with which parameters."""

import os
from collections.abc import Mapping
from typing import Any

from agents.core.catalog import load_catalog
from agents.core.tiers import Tier, TierSettings, settings_of


class OllamaConfig:
    """Looks up models by an agent's name. The environment is read at each call.

    A subclass may override `tier_of` to take tiers from elsewhere than the catalogue.
    """

    @staticmethod
    def tier_of(name: str) -> Tier:
        """Return the tier of an agent of the catalogue; the default tier for any other name."""
        known = load_catalog().get(name)
        return Tier.DEFAULT if known is None else known.tier

    @classmethod
    def get_model_for_agent(cls, name: str, *, environ: Mapping[str, str] | None = None) -> str:
        """Return the name of the agent's model; an unknown agent gets that of the default tier."""
        return cls._settings(name, environ).model

    @classmethod
    def get_model_config(cls, name: str, *, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return model, temperature, max_tokens, top_p, frequency_penalty and presence_penalty for an agent."""
        return cls._settings(name, environ).as_dict()

    @classmethod
    def _settings(cls, name: str, environ: Mapping[str, str] | None) -> TierSettings:
        return settings_of(cls.tier_of(name), os.environ if environ is None else environ)
