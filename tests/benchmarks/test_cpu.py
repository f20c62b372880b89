"""The parts of benchmarks/cpu.py: a side that works, one that cannot, and the figures. Measuring is done by hand."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.cpu import HERE, cells_of, measure, shown, side_of, ways


@pytest.mark.parametrize("agent", ["idle", "asking"])
def test_a_side_tells_what_each_task_of_a_round_has_cost(agent: str) -> None:
    with side_of(HERE, "memory://task-cpu", agent, "task-cpu-test") as side:
        assert all(0.01 < side.round(3) < 1000 for _ in range(2))


def test_a_side_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()  # a checkout without our packages
    (tmp_path / "agents" / "__init__.py").write_text("raise ImportError('an odd checkout')\n")
    with pytest.raises(RuntimeError, match=r"(?s)ended at its work, and said:.*an odd checkout"):
        measure([tmp_path], "memory://task-cpu", "idle", tasks=1, rounds=1)


def test_ratios_are_taken_round_by_round_and_of_the_least() -> None:
    assert cells_of([(1.0, 2.0), (3.0, 3.0), (8.0, 4.0)]) == ["3.000", "1.000", "3.000", "2.000", "1.000", "0.500"]


def test_one_checkout_alone_has_no_ratios() -> None:
    assert cells_of([(1.0,), (3.0,), (8.0,)]) == ["3.000", "1.000"]


def test_the_table_has_a_row_for_each_way() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(shown({way: [(1.0, 2.0)] for way in ways("amqp://")}, "figures"))
    told = console.export_text()
    assert re.search(r"in memory +│ 1.000 │ 1.000 │ 2.000 │ 2.000 │ 0.500", told)
    assert "over RabbitMQ" in told
