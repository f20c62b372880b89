"""Residents: which lanes one server has in memory, by its answers and `/api/ps`. Pure: time is passed in."""

from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from typing import Any, Final, NamedTuple

from agents.core.model.lane import Lane
from agents.core.model.names import model_key

WARM_SECONDS: Final = 240.0
"""How long after an answer its model counts as loaded. Ollama keeps one for five minutes; a minute is left for clocks
and for a keep_alive that somebody has set shorter."""

LOOK_SECONDS: Final = 30.0
"""Between two looks at `/api/ps` while the same lanes take turns: what another client loads is seen after so long."""

_CONTEXT: Final = "num_ctx"


class Seen(NamedTuple):
    """What a look at `/api/ps` told: our lanes in memory, and whether they are certain to be there all at once."""

    lanes: frozenset[Lane]
    together: bool


class Residents:
    """What is known of the memory of one model server.

    A model is in memory once, with the options it was loaded with; so of a model's lanes, the one that answered last
    is the one that may be there.
    """

    def __init__(self) -> None:
        self.last: Lane | None = None
        """The lane that answered last."""
        self.proven: Lane | None = None
        """The lane that generated text last: whoever wants to know whether the server can do that asks in it."""
        self.on_change: Callable[[], object] | None = None
        """Called when a request of another lane than the last one is about to be sent."""
        self._in_memory: dict[str, str] = {}
        self._sent: Lane | None = None
        self._last_at = -inf
        self._answered: dict[str, Lane] = {}
        self._look_at = inf
        self._started: set[Lane] | None = None

    def note_start(self, lane: Lane) -> None:
        """A request of this lane is about to be sent, which may have its model loaded over others."""
        if self._started is not None:
            self._started.add(lane)
        is_other, self._sent = lane != self._sent, lane
        if is_other and self.on_change is not None:
            self.on_change()

    def note_answer(self, lane: Lane, now: float) -> None:
        """A request of this lane was answered, so its model is loaded."""
        if lane != self.last:
            self._look_at = now  # what is in memory may have changed
        self.last, self._last_at = lane, now
        self._answered[lane.model] = lane
        if self._in_memory.get(lane.model) != str(lane):  # it was loaded for this, and may have driven out all others
            self._in_memory = {lane.model: str(lane)}

    def note_timeout(self) -> None:
        """A request was not answered in time: its model may be gone."""
        self._last_at = -inf

    @property
    def in_memory(self) -> list[str]:
        """The models in memory, with the options of those that are lanes of ours: as told last, and answered since."""
        return sorted(self._in_memory.values())

    def note_memory(self, models: Iterable[Mapping[str, Any]], since: float) -> None:
        """Take in the models of `/api/ps`, which was asked `since`; what has answered after that stays."""
        named = [(model["name"], model) for model in models if isinstance(model.get("name"), str)]
        lanes = {model_key(name): self._lane_of(model) for name, model in named if name.strip()}
        self._in_memory = {key: str(lane or key) for key, lane in lanes.items()}
        if self.last is not None and self._last_at >= since:
            self._in_memory[self.last.model] = str(self.last)

    def is_warm(self, lane: Lane, now: float) -> bool:
        """Whether this lane answered last, and so lately that its model is loaded still."""
        return lane == self.last and now - self._last_at <= WARM_SECONDS

    def may_look(self, now: float) -> bool:
        """Whether `/api/ps` may tell something new: several models have run here, and the last look is old enough."""
        return len(self._answered) > 1 and now >= self._look_at and self._started is None

    def has_use_for_look(self, waiting: Collection[str]) -> bool:
        """Whether one of the waiting lanes, as texts, has run here and is not the one that answered last."""
        return any(str(lane) in waiting for lane in self._answered.values() if lane != self.last)

    def begin_look(self, now: float) -> None:
        """`/api/ps` is being asked."""
        self._look_at = now + LOOK_SECONDS
        self._started = set()

    def end_look(self, models: Iterable[Mapping[str, Any]]) -> Seen:
        """Read the models of `/api/ps`.

        A model that another client has loaded with another context is none of our lanes. A lane that was started
        during the look and is not in it may have thrown the others out meanwhile.
        """
        started, self._started = self._started or set(), None
        lanes = frozenset(lane for model in models if (lane := self._lane_of(model)) is not None)
        return Seen(lanes, len(lanes) > 1 and started <= lanes)

    def _lane_of(self, model: Mapping[str, Any]) -> Lane | None:
        name = model.get("name")
        lane = self._answered.get(model_key(name)) if isinstance(name, str) and name.strip() else None
        if lane is None:
            return None
        wished = dict(lane.options).get(_CONTEXT)
        return lane if wished is None or model.get("context_length") in (wished, None) else None
