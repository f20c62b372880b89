from hypothesis import given
from hypothesis import strategies as st

from bus.pauses import SEPARATOR, Cause, Pauses

CAUSES = st.sampled_from(Cause)
STEPS = st.lists(st.one_of(st.tuples(CAUSES, st.text(min_size=1)), CAUSES))


@given(STEPS)
def test_a_consumer_is_paused_as_long_as_one_cause_has_begun_and_not_ended(
    steps: list[tuple[Cause, str] | Cause],
) -> None:
    pauses, begun = Pauses(), dict[Cause, str]()
    for step in steps:
        if isinstance(step, tuple):
            pauses.begin(*step)
            begun[step[0]] = step[1]
        else:
            pauses.end(step)
            begun.pop(step, None)
        assert (pauses.reason is None) is (not begun)
        assert pauses.reason == (SEPARATOR.join(begun[cause] for cause in Cause if cause in begun) or None)


@given(st.dictionaries(CAUSES, st.text(min_size=1)))
def test_an_end_without_a_cause_ends_all(begun: dict[Cause, str]) -> None:
    pauses = Pauses()
    for cause, reason in begun.items():
        pauses.begin(cause, reason)
    pauses.end()
    assert pauses.reason is None


def test_the_stop_is_told_first_then_the_operator_then_the_outage() -> None:
    pauses = Pauses()
    for cause in reversed(Cause):
        pauses.begin(cause, cause.value)
    assert pauses.reason == "stopping; operator; outage"
