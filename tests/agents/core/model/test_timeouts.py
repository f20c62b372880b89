import asyncio

import pytest

from agents.core.model.timeouts import ModelTimeouts, patience


@pytest.mark.parametrize("name", ["connect", "load", "gap", "total", "control"])
def test_a_timeout_of_zero_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"ModelTimeouts.{name} is 0"):
        ModelTimeouts(**{name: 0})


async def test_the_end_of_patience_raises_the_given_error() -> None:
    with pytest.raises(LookupError, match="late"):
        async with patience(0.001, lambda: LookupError("late")):
            await asyncio.Event().wait()


async def test_a_timeout_error_of_the_block_stays_itself() -> None:
    with pytest.raises(TimeoutError, match="its own"):
        async with patience(60, lambda: LookupError("late")):
            raise TimeoutError("its own")
