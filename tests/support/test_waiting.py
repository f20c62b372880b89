import pytest

from tests.support.waiting import wait_until


async def test_waiting_ends_when_a_plain_predicate_turns_true() -> None:
    answers = iter([0, "", [], "there"])
    await wait_until(lambda: next(answers), what="the last answer")
    assert next(answers, "used up") == "used up"


async def test_waiting_ends_when_an_async_predicate_turns_true() -> None:
    answers = iter([False, True])

    async def ready() -> bool:
        return next(answers)

    await wait_until(ready)
    assert next(answers, None) is None


async def test_waiting_in_vain_names_the_wish_and_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"Waited 0\.01 s in vain for three queues; last seen: 0"):
        await wait_until(lambda: 0, timeout=0.01, what="three queues")
