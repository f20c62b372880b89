"""What a test of a fleet on a cluster asserts and prints at its end."""

from collections.abc import Callable

from tests.support.cluster_fleet import Fleet

RecordProperty = Callable[[str, object], None]


def assert_each_ended_once(fleet: Fleet) -> None:
    """Each task has one distinct terminal result; where it came twice, one of the two says that it may be a second."""
    assert not fleet.load.missing
    for task, results in fleet.load.came.items():
        assert {(result.status.value, result.result) for result in results} == {("completed", task)}
    assert all(any(result.redelivered for result in results) for results in fleet.load.doubled.values())


def tell(record: RecordProperty, fleet: Fleet, resumed: float) -> None:
    """Print the figures of a test, and put them into a report of the run."""
    load = fleet.load
    figures = (
        f"resumed after {resumed:.2f} s; {len(load.sent)} tasks, {len(load.missing)} lost, {len(load.doubled)} ended "
        f"twice, {len(load.refusals)} submissions refused"
    )
    record("figures", figures)
    print(f"\n{figures}")  # noqa: T201 - the figures are what such a run is for
