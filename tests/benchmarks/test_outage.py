"""The pure parts of benchmarks/outage.py: what is asked of the figures. Outages themselves are run by hand."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.model_outage.figures import Figures, HostFigures, first_after, since, tables, told_seconds

HOST = HostFigures("host-1", cpu_percent=0.1, to_first_answer=0.3, most_requests=2, most_probes=1)

GOOD = Figures(
    seconds=60,
    published=100,
    statuses={"completed": 100},
    attempts={1: 100},
    ended_meanwhile=0,
    depth=[5, 60],
    consumers=[0, 0],
    back_to_probe=7.5,
    probe_to_result=0.4,
    slots=2,
    hosts=[HOST],
)


def shown(figures: Figures) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(*tables(figures))
    return capture.get()


def test_an_outage_as_promised_has_no_problems() -> None:
    assert GOOD.problems == []
    assert "as promised" in shown(GOOD)
    assert json.loads(json.dumps(asdict(GOOD)))["published"] == 100


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"statuses": {"completed": 99, "failed": 1}}, "99 of 100 tasks completed"),
        ({"statuses": {"completed": 99}}, "99 of 100 tasks completed"),
        ({"statuses": {"completed": 100, "failed": 1}}, "100 of 100 tasks completed"),
        ({"attempts": {1: 98, 2: 2}}, "2 tasks used an attempt"),
        ({"depth": []}, "no task was seen waiting"),
        ({"depth": [0, 0]}, "no task was seen waiting"),
        ({"consumers": [0, 1]}, "1 consumers were left"),
        ({"probe_to_result": 2.1}, "the first result came 2.10 s after"),
        ({"probe_to_result": None}, "the first result came never after"),
        ({"hosts": [replace(HOST, cpu_percent=1.0)]}, "host-1 used 1.00 % of a core"),
        ({"hosts": [replace(HOST, to_first_answer=2.5)]}, "host-1 had its first answer 2.50 s after"),
        ({"hosts": [replace(HOST, to_first_answer=None)]}, "host-1 had its first answer never after"),
        ({"hosts": [replace(HOST, most_requests=3)]}, "host-1 had 3 requests at the server on 2 slots"),
        ({"hosts": [replace(HOST, most_probes=2)]}, "host-1 had 2 probes at the server at once"),
    ],
)
def test_what_is_not_as_promised_is_told(changed: dict[str, object], problem: str) -> None:
    figures = replace(GOOD, **changed)  # type: ignore[arg-type]
    (told,) = figures.problems
    assert problem in told
    assert problem in shown(figures)


@given(st.floats(0, 100), st.lists(st.floats(0, 100)))
def test_the_first_moment_after_another_is_the_nearest_that_is_not_before_it(
    moment: float, moments: list[float]
) -> None:
    found = first_after(moment, moments)
    later = [one for one in moments if one >= moment]
    assert found == (min(later) if later else None)


def test_there_is_nothing_after_what_never_came() -> None:
    assert first_after(None, [1.0]) is None
    assert since(None, 1.0) is None
    assert since(1.0, None) is None
    assert since(1.0, 1.5) == 0.5
    assert told_seconds(None) == "never"
