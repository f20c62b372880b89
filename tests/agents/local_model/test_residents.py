"""The choice of who must go."""

import asyncio
import math

from hypothesis import given
from hypothesis import strategies as st

from agents.local_model.residents import Resident, Want, leaver, patience
from tests.agents.local_model.doubles import StubRunner

_RESIDENTS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-1, 3), st.integers(0, 1)), unique_by=lambda each: each[0]
)


def _resident(name: str, keep_alive: float, users: int) -> Resident:
    return Resident(Want(name, 512), StubRunner(), keep_alive, asyncio.Semaphore(1), users=users)


@given(_RESIDENTS, st.integers(1, 4))
def test_somebody_goes_only_where_there_is_no_room(given_: list[tuple[str, int, int]], limit: int) -> None:
    residents = [_resident(*each) for each in given_]
    gone = leaver(residents, Want("new", 512), limit)
    assert (gone is None) == (len(residents) < limit)


@given(_RESIDENTS.filter(bool))
def test_no_idler_and_no_less_patient_model_stays_in_place_of_the_one_that_goes(
    given_: list[tuple[str, int, int]],
) -> None:
    residents = [_resident(*each) for each in given_]
    gone = leaver(residents, Want("new", 512), 1)
    assert gone is not None
    assert all((gone.busy, patience(gone.keep_alive)) <= (each.busy, patience(each.keep_alive)) for each in residents)


@given(_RESIDENTS.filter(bool))
def test_the_same_model_with_another_context_goes_even_where_there_is_room(
    given_: list[tuple[str, int, int]],
) -> None:
    residents = [_resident(*each) for each in given_]
    assert leaver(residents, Want(given_[-1][0], 1024), 99) is residents[-1]


def test_for_ever_is_longer_than_any_number() -> None:
    assert patience(-1) == math.inf > patience(1e12)
    assert _resident("a", -1, 0).expires_at(0) == math.inf
