"""Settings of the local model server."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from agents.local_model.errors import SettingsError

_DEFAULT_ALIASES: Final = MappingProxyType({"tinyllama": "smollm2:135m", "all-minilm": "smollm2-embed"})
MOST_PARALLEL: Final = 64
"""As many as a host sends at most (MAX_OLLAMA_CONNECTIONS); each takes 47 MB at the default context."""
_BOUNDS: Final[Mapping[str, tuple[int, float]]] = MappingProxyType(
    {
        "threads": (1, math.inf),
        "max_loaded_models": (1, math.inf),
        "num_parallel": (1, MOST_PARALLEL),
        "max_queue": (0, math.inf),
        "context_length": (4, math.inf),
    }
)


def default_threads() -> int:
    """Half the processors: with one other busy process, as many threads as processors fall to a sixth of the speed."""
    return max(1, (os.cpu_count() or 1) // 2)


def default_model_dir() -> Path:
    """The folder `sutazai/models` in the user's cache folder ($XDG_CACHE_HOME, or ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sutazai" / "models"


@dataclass(frozen=True, kw_only=True)
class LocalModelSettings:
    """How the local model server runs; the defaults suit a small machine without a GPU.

    Attributes:
        threads: Threads of one model, for all that it generates at once.
        max_loaded_models: Models in memory at once; one more request unloads another model first.
        num_parallel: Requests one loaded model serves at once, at most 64; each has the full context, and together
            they are about as fast as one after the other.
        max_queue: Requests that may wait for a model to load; one more is answered with 503.
        keep_alive_seconds: How long an idle model stays loaded; negative for ever, 0 not at all.
        context_length: Context in tokens where a request sends no `num_ctx`.
        model_dir: Where the weights file lies.
        aliases: Further names, each answered by the model it points to, loaded and swapped as a model of its own.

    Raises:
        SettingsError: A number is too small or too large.
    """

    threads: int = field(default_factory=default_threads)
    max_loaded_models: int = 1
    num_parallel: int = 1
    max_queue: int = 512
    keep_alive_seconds: float = 300.0
    context_length: int = 2048
    model_dir: Path = field(default_factory=default_model_dir)
    aliases: Mapping[str, str] = field(default_factory=lambda: _DEFAULT_ALIASES)

    def __post_init__(self) -> None:
        for name, (smallest, largest) in _BOUNDS.items():
            value = getattr(self, name)
            if not smallest <= value <= largest:
                wanted = f"{smallest} or more" if value < smallest else f"{largest} or less"
                raise SettingsError(f"{name} is {value}; give {wanted}.")
