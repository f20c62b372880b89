import pytest

from agents.core.model.errors import TimeoutPhase
from agents.core.model.timeouts import ModelTimeouts
from agents.core.settings import load_settings

TIMEOUTS = ModelTimeouts(load=2, first_token=3, gap=4, total=5, control=6, pull=7)


@pytest.mark.parametrize("name", ["connect", "load", "first_token", "gap", "total", "control", "pull"])
def test_a_timeout_of_zero_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"ModelTimeouts.{name} is 0"):
        ModelTimeouts(**{name: 0})


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (TimeoutPhase.LOAD, "sent nothing for 2 s: .*SUTAZAI_MODEL_LOAD_TIMEOUT"),
        (TimeoutPhase.FIRST_TOKEN, "sent nothing for 3 s, .*loaded: .*SUTAZAI_MODEL_FIRST_TOKEN_TIMEOUT"),
        (TimeoutPhase.GAP, "fell silent in mid-answer for 4 s: .*SUTAZAI_MODEL_GAP_TIMEOUT"),
        (TimeoutPhase.TOTAL, "did not finish within 5 s: .*SUTAZAI_MODEL_REQUEST_TIMEOUT"),
        (TimeoutPhase.CONTROL, "did not answer a simple question within 6 s: "),
        (TimeoutPhase.PULL, "fell silent in mid-pull for 7 s: "),
    ],
)
def test_the_error_of_each_patience_names_server_seconds_and_remedy(phase: TimeoutPhase, words: str) -> None:
    error = TIMEOUTS.error(phase, "http://here")
    assert error.which is phase
    with pytest.raises(type(error), match=f"^the model server at http://here {words}"):
        raise error


def test_a_request_that_never_began_is_told_from_one_that_did_not_finish() -> None:
    error = TIMEOUTS.error(TimeoutPhase.TOTAL, "http://here", has_begun=False)
    assert error.which is TimeoutPhase.TOTAL
    assert "sent nothing within the 5 s of SUTAZAI_MODEL_REQUEST_TIMEOUT" in str(error)


def test_every_phase_has_its_seconds() -> None:
    assert [TIMEOUTS.seconds(phase) for phase in TimeoutPhase] == [2, 3, 4, 5, 6, 7]


def test_the_settings_are_the_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("CONNECT", "LOAD", "FIRST_TOKEN", "GAP", "REQUEST"), start=1):
        monkeypatch.setenv(f"SUTAZAI_MODEL_{name}_TIMEOUT", str(number))
    assert load_settings().model_timeouts == ModelTimeouts(connect=1, load=2, first_token=3, gap=4, total=5)


def test_the_settings_and_the_timeouts_have_the_same_defaults() -> None:
    assert load_settings().model_timeouts == ModelTimeouts()
