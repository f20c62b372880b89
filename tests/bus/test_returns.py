import asyncio

import pytest

from bus import returns as returns_module
from bus.returns import REMEMBERED, TOLD, Returns


async def test_a_word_that_has_come_is_good_once() -> None:
    returns = Returns()
    returns.note("a", "b")
    assert await returns.take_soon("a")
    assert not returns.take("a")
    assert returns.take("b")


async def test_a_word_that_is_near_is_waited_for() -> None:
    returns = Returns()
    taking = [asyncio.create_task(returns.take_soon("a"), name=f"take {n}") for n in range(2)]
    await asyncio.sleep(0)
    returns.note("a")
    assert sorted(await asyncio.gather(*taking)) == [False, True]  # one word, one redelivery


async def test_a_word_that_does_not_come_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returns_module, "WORD_SECONDS", 0.01)
    assert not await Returns().take_soon("a")


def test_the_oldest_words_are_forgotten_and_the_latest_are_told() -> None:
    returns = Returns()
    returns.note(*(str(number) for number in range(REMEMBERED + 1)))
    assert not returns.take("0")
    assert returns.take("1")
    latest = returns.latest()
    assert (len(latest), latest[-1]) == (TOLD, str(REMEMBERED))
