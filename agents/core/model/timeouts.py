"""ModelTimeouts: how long a client waits for what, and why."""

from dataclasses import dataclass, fields
from typing import Final

from agents.core.model.errors import ModelTimeout, TimeoutPhase

_LATE: Final = {
    TimeoutPhase.LOAD: "sent nothing for {0:g} s: if the model needs longer to load, raise SUTAZAI_MODEL_LOAD_TIMEOUT",
    TimeoutPhase.FIRST_TOKEN: "sent nothing for {0:g} s, though it had the model loaded: if it needs longer to read "
    "the prompt, raise SUTAZAI_MODEL_FIRST_TOKEN_TIMEOUT",
    TimeoutPhase.GAP: "fell silent in mid-answer for {0:g} s: if its tokens take longer, raise "
    "SUTAZAI_MODEL_GAP_TIMEOUT",
    TimeoutPhase.TOTAL: "did not finish within {0:g} s: if answers need longer, raise SUTAZAI_MODEL_REQUEST_TIMEOUT",
    TimeoutPhase.CONTROL: "did not answer a simple question within {0:g} s: see whether it hangs",
    TimeoutPhase.PULL: "fell silent in mid-pull for {0:g} s: see whether it still has a network and room on its disk",
}
_NEVER_BEGAN: Final = "sent nothing within the {0:g} s of SUTAZAI_MODEL_REQUEST_TIMEOUT: see whether it hangs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTimeouts:
    """Seconds for each part of a request, named as in `TimeoutPhase`; parts of an answer are bounded by `total` too.

    Raises:
        ValueError: one of them is not above 0.
    """

    connect: float = 5.0
    """A server that is there accepts within milliseconds; five seconds allow for a slow name lookup."""
    load: float = 300.0
    """Until the first line of an answer whose model may have to be loaded first. It must not be short: a client that
    gives up aborts the load, so impatient clients never get a model. Ollama itself gives a load five minutes."""
    first_token: float = 120.0
    """Until the first line of an answer whose model is loaded. 561 tokens of prompt take a 1.1B model 13 s on one
    thread (measured), and the server may have other clients before us; a load that was needed all the same still fits.
    """
    gap: float = 120.0
    """Between two lines of an answer. A token takes at most seconds, but a tool call is held back until it is whole."""
    total: float = 300.0
    """For one try from connecting to the last token. The default is that of docs/names.md (`request_timeout`)."""
    control: float = 10.0
    """For the list of models, the version and the like: they are answered from memory, busy or not."""
    pull: float = 300.0
    """Between two steps of a pull. Checking the hash of a large file is one silent step."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise ValueError(f"ModelTimeouts.{item.name} is {value}: it must be a number of seconds above 0")

    def seconds(self, phase: TimeoutPhase) -> float:
        """Return the patience of one phase."""
        return float(getattr(self, phase.value))

    def error(self, phase: TimeoutPhase, server: str, *, has_begun: bool = True) -> ModelTimeout:
        """Return the error for the end of one patience. `has_begun`: something of the answer had come by then."""
        what = _LATE[phase] if has_begun or phase is not TimeoutPhase.TOTAL else _NEVER_BEGAN
        return ModelTimeout(f"the model server at {server} {what.format(self.seconds(phase))}", which=phase)
