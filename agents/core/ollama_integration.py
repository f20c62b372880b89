"""OllamaConfig: which model an agent asks, and with which parameters."""

import os
from collections.abc import Mapping
from typing import Any

from agents.core.catalog import CATALOG, load_catalog
from agents.core.settings import folders_in, load_settings
from agents.core.tiers import Tier, TierSettings

Tiers = Mapping[Tier, TierSettings]


class OllamaConfig:
    """Looks up models by an agent's name.

    `tiers` says what the tiers mean; without it, the environment does, which is read at each call.
    A subclass may override `tier_of` to take tiers from elsewhere than the agents' files.
    """

    @staticmethod
    def tier_of(name: str) -> Tier:
        """Return the tier that the agent's file says, in SUTAZAI_AGENTS_PATH or the catalogue; else the default."""
        # This variable alone: all settings would take as long, for each agent of a host, as making the agent does.
        own = folders_in(os.environ.get("SUTAZAI_AGENTS_PATH", ""))
        known = load_catalog((*own, CATALOG)).get(name)
        return Tier.DEFAULT if known is None else known.tier

    @classmethod
    def get_model_for_agent(cls, name: str, *, tiers: Tiers | None = None) -> str:
        """Return the name of the agent's model; an unknown agent gets that of the default tier.

        Raises:
            SettingsError: the environment holds an unusable value.
        """
        return cls._settings(name, tiers).model

    @classmethod
    def get_model_config(cls, name: str, *, tiers: Tiers | None = None) -> dict[str, Any]:
        """Return model, temperature, max_tokens, top_p, frequency_penalty and presence_penalty for an agent.

        Raises:
            SettingsError: the environment holds an unusable value.
        """
        return cls._settings(name, tiers).as_dict()

    @classmethod
    def _settings(cls, name: str, tiers: Tiers | None) -> TierSettings:
        return (load_settings().tiers if tiers is None else tiers)[cls.tier_of(name)]
