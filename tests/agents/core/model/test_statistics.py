import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.model.statistics import PoolStats, figures
from agents.core.ollama_pool import OllamaConnectionPool


def test_before_the_first_request_nothing_has_failed() -> None:
    stats = PoolStats(lambda: 0.0)
    assert (stats.success_rate, stats.average_response_time) == (1.0, 0.0)


@given(st.lists(st.sampled_from([None, ValueError, asyncio.CancelledError])))
def test_the_success_rate_stays_within_0_and_1_and_is_true(outcomes: list[type[BaseException] | None]) -> None:
    stats = PoolStats(lambda: 0.0)
    for outcome in outcomes:
        try:
            with stats.request():
                if outcome is not None:
                    raise outcome
        except (ValueError, asyncio.CancelledError):
            pass
    succeeded, failed = outcomes.count(None), outcomes.count(ValueError)
    assert (stats.total, stats.succeeded, stats.failed) == (len(outcomes), succeeded, failed)
    assert stats.success_rate == (succeeded / (succeeded + failed) if succeeded + failed else 1.0)


def test_a_running_request_counts_but_has_no_outcome_yet() -> None:
    stats = PoolStats(lambda: 0.0)
    with stats.request():
        assert (stats.total, stats.success_rate) == (1, 1.0)


def test_the_average_is_over_successful_tries_alone() -> None:
    times = iter([0.0, 1.0, 10.0, 20.0, 23.0])
    stats = PoolStats(lambda: next(times))
    with stats.answer():
        pass
    with pytest.raises(ValueError, match="x"), stats.answer():
        raise ValueError("x")
    with stats.answer():
        pass
    assert stats.average_response_time == 2.0


def test_the_figures_of_several_servers_are_sums_and_names_count_once() -> None:
    first, second = OllamaConnectionPool("http://a,http://b").servers
    first.shelf.fill()
    second.shelf.fill()
    second.shelf.hits, second.shelf.misses, first.shelf.broken = 3, 1, 1
    for store, names in ((first.models, "xy"), (second.models, "yz")):
        for name in names:
            store.note_used(name)
    told = figures(PoolStats(lambda: 0.0), [first.shelf, second.shelf], [first.models, second.models])
    assert (told["total_connections"], told["idle_connections"], told["error_connections"]) == (3, 2, 1)
    assert (told["pool_hits"], told["pool_misses"], told["hit_rate"]) == (3, 1, 0.75)
    assert (told["models_cached"], told["available_models"]) == (3, ["x:latest", "y:latest", "z:latest"])
