import asyncio

import pytest

from agents.core.agent_statistics import AgentStatistics
from bus.errors import NotNowError


def test_every_ended_handler_counts_and_every_bad_end_as_failed() -> None:
    statistics = AgentStatistics()
    assert statistics.average_seconds == 0
    with statistics.one_run():
        assert statistics.active == 1
    with statistics.one_run() as run:
        run.failed = True
    with pytest.raises(ValueError, match="no"), statistics.one_run():
        raise ValueError("no")
    assert (statistics.processed, statistics.failed, statistics.active) == (3, 2, 0)
    assert statistics.average_seconds == statistics.seconds / 3 > 0
    assert statistics.uptime > 0


@pytest.mark.parametrize("error", [NotNowError("later"), asyncio.CancelledError()])
def test_what_was_put_off_or_cancelled_counts_as_nothing(error: BaseException) -> None:
    statistics = AgentStatistics()
    with pytest.raises(type(error)), statistics.one_run():
        raise error
    assert (statistics.processed, statistics.failed, statistics.active, statistics.seconds) == (0, 0, 0, 0)
