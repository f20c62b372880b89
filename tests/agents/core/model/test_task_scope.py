import asyncio

from agents.core.model.task_scope import TaskScope, current_priority, current_scope, task_scope
from schemas import Priority, Usage


def test_outside_any_task_the_priority_is_normal() -> None:
    assert current_scope() is None
    assert current_priority() == Priority.NORMAL


def test_a_scope_holds_for_its_block_alone() -> None:
    with task_scope(TaskScope(priority=Priority.HIGH)) as outer:
        with task_scope(TaskScope(priority=0)):
            assert current_priority() == 0
        assert current_scope() is outer
        assert current_priority() == Priority.HIGH
    assert current_scope() is None


async def test_tasks_started_in_the_block_share_its_scope() -> None:
    async def work() -> None:
        scope = current_scope()
        assert scope is not None
        scope.add(Usage(tokens_out=2, model_calls=1))

    with task_scope(TaskScope()) as scope:
        await asyncio.gather(work(), work())
    assert (scope.usage.tokens_out, scope.usage.model_calls) == (4, 2)


async def test_two_tasks_at_once_keep_their_scopes_apart() -> None:
    both = asyncio.Barrier(2)

    async def work(priority: int) -> int:
        with task_scope(TaskScope(priority=priority)):
            await both.wait()
            return current_priority()

    assert tuple(await asyncio.gather(work(1), work(9))) == (1, 9)
