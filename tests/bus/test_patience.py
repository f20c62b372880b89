import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.patience import BROKER_DEFAULT_SECONDS, MARGIN_SECONDS, Patience

timeouts = st.floats(0.001, 1e6)
moments = st.floats(0, 1e6)


@st.composite
def patiences(draw: st.DrawFn) -> Patience:
    plain = Patience(draw(timeouts))
    share = draw(st.none() | st.floats(0.001, 1))
    return plain if share is None else Patience(plain.acknowledgement, plain.longest * share)


@given(patiences(), moments, st.floats(0, 1e4))
def test_no_attempt_may_outlast_the_broker_s_patience_or_its_own_limit(
    patience: Patience, delivered_at: float, waited: float
) -> None:
    limit = patience.for_work(delivered_at, delivered_at + waited)
    assert limit >= 0
    assert waited + limit <= max(waited, patience.longest) + 1e-6
    assert patience.attempt is None or limit <= patience.attempt
    assert patience.longest < patience.acknowledgement


@given(patiences())
def test_whoever_waits_for_a_slot_leaves_time_for_the_work(patience: Patience) -> None:
    assert 0 < patience.for_slot < patience.longest
    left = patience.for_work(0.0, patience.for_slot)
    assert left >= 0.9 * min(patience.attempt or patience.longest / 2, patience.longest) - 1e-9


def test_the_broker_s_default_leaves_two_minutes_for_the_settlement() -> None:
    assert Patience() == Patience(BROKER_DEFAULT_SECONDS)
    assert Patience().longest == 1_800 - MARGIN_SECONDS
    assert (Patience().for_work(10.0, 10.0), Patience().for_slot) == (1_680, 840)


def test_a_short_patience_leaves_a_fifth() -> None:
    assert Patience(10).longest == 8
    assert Patience(10).for_work(0.0, 3.0) == 5
    assert Patience(10).for_work(0.0, 30.0) == 0


def test_an_agent_s_own_limit_is_the_least_it_gets() -> None:
    patience = Patience(10, 3)
    assert (patience.for_work(0.0, 0.0), patience.for_work(0.0, 4.9), patience.for_slot) == (3, 3, 5)
    assert Patience(10, 8).for_slot == pytest.approx(0.8)


@pytest.mark.parametrize("attempt", [0.0, -1.0, 8.1, float("inf"), float("nan")])
def test_a_limit_that_does_not_fit_is_refused_with_a_remedy(attempt: float) -> None:
    told = rf"a task timeout of {attempt:g} s .* timeout of 10 s, which leaves 8 s.*lower the one, or raise the other"
    with pytest.raises(ValueError, match=told):
        Patience(10, attempt)


@pytest.mark.parametrize("acknowledgement", [0.0, -1.0])
def test_a_broker_without_patience_is_refused(acknowledgement: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Patience(acknowledgement)
