import errno
import time

import psutil
import pytest

from agents.core.process_usage import ProcessUsage
from tests.support.clock import FakeClock


def test_the_memory_is_that_of_this_process() -> None:
    assert 10_000_000 < ProcessUsage().memory_bytes < 10_000_000_000


def test_cpu_is_what_was_used_of_one_core() -> None:
    usage = ProcessUsage()
    began = time.process_time()
    while time.process_time() - began < 0.05:
        pass
    assert 1 < usage.cpu_percent() < 400


def test_cpu_is_measured_from_reading_to_reading() -> None:
    clock, used = FakeClock(), FakeClock()
    usage = ProcessUsage(clock, used)
    assert usage.cpu_percent() == 0
    clock.now, used.now = 30.0, 3.0
    assert usage.cpu_percent() == 10
    clock.now, used.now = 60.0, 18.0
    assert usage.cpu_percent() == 50


def test_a_reading_right_after_another_ones_still_covers_the_time_before() -> None:
    clock, used = FakeClock(), FakeClock()
    usage = ProcessUsage(clock, used)
    clock.now, used.now = 30.0, 15.0
    assert [usage.cpu_percent() for _ in range(3)] == [50, 50, 50]
    clock.now = 30.5
    assert usage.cpu_percent() == 49.2
    clock.now = 40.0
    assert usage.cpu_percent() == 0


@pytest.mark.parametrize("error", [psutil.AccessDenied(1), OSError(errno.EMFILE, "Too many open files")])
def test_memory_that_cannot_be_read_is_what_it_was_last(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_process: psutil.Process) -> None:
        raise error

    usage, fresh = ProcessUsage(), ProcessUsage()
    last = usage.memory_bytes
    monkeypatch.setattr(psutil.Process, "memory_info", fail)
    assert (usage.memory_bytes, fresh.memory_bytes) == (last, 0)
