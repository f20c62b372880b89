"""The `options` object of a request: checked as the real server does, and turned into the engine's parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import structlog

from agents.local_model.errors import ReplyError
from agents.local_model.go_json import kind

log = structlog.get_logger(__name__)

TRAINED_CONTEXT: Final = 8192
"""Tokens the model was trained for; a larger num_ctx is cut to it."""
_SMALLEST_CONTEXT: Final = 4
_ENDLESS: Final = 10
"""num_predict -1 is bounded at this many times num_ctx, as in Ollama."""
_TYPES: Final = MappingProxyType(
    {
        "num_keep": "integer",
        "seed": "integer",
        "num_predict": "integer",
        "top_k": "integer",
        "repeat_last_n": "integer",
        "num_ctx": "integer",
        "num_batch": "integer",
        "num_gpu": "integer",
        "main_gpu": "integer",
        "num_thread": "integer",
        "top_p": "float32",
        "min_p": "float32",
        "typical_p": "float32",
        "temperature": "float32",
        "repeat_penalty": "float32",
        "presence_penalty": "float32",
        "frequency_penalty": "float32",
        "use_mmap": "boolean",
        "stop": "array",
    }
)
_KINDS: Final = {"integer": "number", "float32": "number", "boolean": "bool", "array": "array"}
_SAMPLING: Final = MappingProxyType(
    {
        "temperature": 0.8,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_last_n": 64,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": -1,
    }
)
"""What goes to the engine under its own name, with Ollama's defaults."""
_STOP: Final = ("<|im_start|>", "<|im_end|>")
"""The stop words of the model's own Modelfile."""


@dataclass(frozen=True)
class Options:
    """Checked options.

    Attributes:
        num_ctx: Context in tokens.
        num_keep: Tokens at the start of a prompt that survive truncation.
        sampling: The engine's parameters: n_predict, stop, temperature and so on.
    """

    num_ctx: int
    num_keep: int
    sampling: Mapping[str, Any]


def parse_options(given: Mapping[str, Any], default_ctx: int) -> Options:
    """Check `given` and fill in the defaults; unknown options are logged and ignored.

    Raises:
        ReplyError: 500, an option has another type than it should.
    """
    values = {name: value for name, value in given.items() if _is_usable(name, value)}
    num_ctx = max(_SMALLEST_CONTEXT, min(int(values.get("num_ctx", default_ctx)), TRAINED_CONTEXT))
    limit = int(values.get("num_predict", -1))
    sampling = {name: values.get(name, default) for name, default in _SAMPLING.items()}
    sampling["n_predict"] = limit if limit >= 0 else _ENDLESS * num_ctx
    sampling["stop"] = values.get("stop", list(_STOP))
    return Options(num_ctx, max(0, int(values.get("num_keep", 4))), sampling)


def _is_usable(name: str, value: object) -> bool:
    wanted = _TYPES.get(name)
    if wanted is None:
        log.warning("option.unknown", option=name)
        return False
    if value is None:
        return False
    if kind(value) != _KINDS[wanted]:
        raise ReplyError(500, f'option "{name}" must be of type {wanted}')
    if isinstance(value, list) and any(not isinstance(item, str) for item in value):
        raise ReplyError(500, f'option "{name}" must be of an array of strings')
    return True
