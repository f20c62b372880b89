from agents.top.silence import GONE_SECONDS, Silence
from tests.support.clock import FakeClock


def test_a_host_is_silent_after_so_long_without_a_word_and_no_more_after_one() -> None:
    silence = Silence(15, FakeClock())
    for age, silent in ((15.0, set[str]()), (15.1, {"a"}), (0.0, set[str]())):
        silence.note({"a": age, "b": 1.0}, heard_for=100)
        assert silence.hosts == silent


def test_nobody_becomes_silent_while_nobody_can_be_heard_or_soon_after() -> None:
    silence = Silence(15, FakeClock())
    for heard_for in (None, 0.0, 15.0):
        silence.note({"a": 100.0}, heard_for)
        assert silence.hosts == set()
    silence.note({"a": 100.0}, 15.1)
    assert silence.hosts == {"a"}


def test_who_was_silent_before_an_outage_stays_so_through_it() -> None:
    silence = Silence(15, FakeClock())
    for heard_for in (100, None, 0.0, 15.1):
        silence.note({"dead": 100.0, "alive": 14.0}, heard_for)
        assert silence.hosts == {"dead"}


def test_a_silent_host_that_is_forgotten_is_gone_for_a_minute_unless_it_comes_back() -> None:
    clock = FakeClock()
    silence = Silence(15, clock)
    silence.note({"a": 100.0, "b": 100.0, "c": 1.0}, 100)
    silence.note({}, 100)
    assert set(silence.gone) == {"a", "b"}  # c was never missed
    silence.note({"a": 0.0}, 100)
    assert silence.gone == ["b"]
    clock.now = GONE_SECONDS
    silence.note({"a": 0.0}, 100)
    assert silence.gone == []
