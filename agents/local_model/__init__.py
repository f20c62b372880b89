"""The Ollama API over a real small model: for a first look without Ollama, and for tests. Needs the extra `local`."""

from agents.local_model.errors import (
    EngineError,
    ExtraMissingError,
    ListenError,
    LocalModelError,
    SettingsError,
    WeightsError,
)
from agents.local_model.extra import require_extra
from agents.local_model.server import LocalModelServer
from agents.local_model.settings import LocalModelSettings
from agents.local_model.weights import Progress, ensure_weights

__all__ = [
    "EngineError",
    "ExtraMissingError",
    "ListenError",
    "LocalModelError",
    "LocalModelServer",
    "LocalModelSettings",
    "Progress",
    "SettingsError",
    "WeightsError",
    "ensure_weights",
    "require_extra",
]
