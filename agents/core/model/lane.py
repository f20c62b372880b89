"""Lane: what makes Ollama start another runner. Requests of one lane follow each other without a reload."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from agents.core.model.errors import BadModelRequest
from agents.core.model.names import model_key

RUNNER_OPTIONS: Final = ("num_ctx", "num_batch", "num_gpu", "num_thread", "use_mmap")
"""Options whose change reloads a loaded model (0.5 s measured for 135 M parameters, and its prompt cache is lost)."""


class Lane(NamedTuple):
    """A model with the options of its runner. Reads as `tinyllama:latest num_ctx=4096`."""

    model: str
    options: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.model, *(f"{name}={value}" for name, value in self.options)])


def lane_of(model: str, options: Mapping[str, object]) -> Lane:
    """Return the lane of a request for `model` with `options`.

    Raises:
        BadModelRequest: a runner option is neither number, boolean nor text.
    """
    chosen = {name: options[name] for name in RUNNER_OPTIONS if options.get(name) is not None}
    for name, value in chosen.items():
        if not isinstance(value, int | float | str):
            raise BadModelRequest(f"option {name} is {value!r}: it must be a number or a boolean")
    return Lane(model_key(model), tuple(chosen.items()))
