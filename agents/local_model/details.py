"""What /api/tags, /api/ps and /api/show tell of a model; pure but for the file's date."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agents.local_model.models import Model
from agents.local_model.options import TRAINED_CONTEXT
from agents.local_model.weights import SMOLLM2

_EMBEDDING_LENGTH: Final = 576
_TEMPLATE: Final = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
)
_MODEL_INFO: Final[Mapping[str, object]] = {
    "general.architecture": "llama",
    "general.basename": "smollm2",
    "general.file_type": 3,
    "general.license": "apache-2.0",
    "general.organization": "HuggingFaceTB",
    "general.parameter_count": 134_515_008,
    "general.quantization_version": 2,
    "general.size_label": "135M",
    "general.type": "model",
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.attention.layer_norm_rms_epsilon": 0.00001,
    "llama.block_count": 30,
    "llama.context_length": TRAINED_CONTEXT,
    "llama.embedding_length": _EMBEDDING_LENGTH,
}
_DETAILS: Final[Mapping[str, object]] = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "134.52M",
    "quantization_level": "Q4_1",
}
_FOR_EVER: Final = datetime(2318, 1, 1, tzinfo=UTC)
"""The real server's for ever: 292 years, the longest Go duration, from now."""


def capabilities(model: Model) -> list[str]:
    """Return what the model is for."""
    return ["embedding"] if model.embeds else ["completion"]


def tag(model: Model, path: Path) -> dict[str, Any]:
    """Describe an installed model for /api/tags."""
    lengths = {"context_length": TRAINED_CONTEXT, "embedding_length": _EMBEDDING_LENGTH}
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": _modified_at(path),
        "size": SMOLLM2.size,
        "digest": model.digest,
        "details": {**_DETAILS, **lengths},
        "capabilities": capabilities(model),
    }


def process(model: Model, num_ctx: int, expires_at: float) -> dict[str, Any]:
    """Describe a loaded model for /api/ps; `expires_at` in seconds since 1970, or infinity."""
    return {
        "name": model.name,
        "model": model.name,
        "size": SMOLLM2.size,
        "digest": model.digest,
        "details": dict(_DETAILS),
        "expires_at": rfc3339(int(min(expires_at, _FOR_EVER.timestamp()) * 1e9)),
        "size_vram": 0,
        "context_length": num_ctx,
    }


def show(model: Model, path: Path) -> dict[str, Any]:
    """Describe an installed model for /api/show."""
    return {
        "modelfile": f"FROM {path}\nTEMPLATE {json.dumps(_TEMPLATE)}\n",
        "parameters": 'stop                           "<|im_start|>"\nstop                           "<|im_end|>"',
        "template": _TEMPLATE,
        "details": dict(_DETAILS),
        "model_info": dict(_MODEL_INFO),
        "capabilities": capabilities(model),
        "modified_at": _modified_at(path),
    }


def rfc3339(nanoseconds: int) -> str:
    """Write nanoseconds since 1970 as Go does, in UTC, without closing zeros in the fraction."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"


def _modified_at(path: Path) -> str:
    return rfc3339(path.stat().st_mtime_ns)
