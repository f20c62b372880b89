"""Threads for old code: what blocks in them blocks nobody else, and what never ends in them keeps no process alive."""

import asyncio
import contextlib
import inspect
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any


class LegacyCall:
    """One call of old code, in the context of whoever made it. `outcome` is what it returns or raises."""

    def __init__(self, function: Callable[[], object], context: Context | None = None) -> None:
        self.outcome: Future[Any] = Future()
        self._function = function
        self._context = context or copy_context()
        self._task: asyncio.Task[Any] | None = None

    def is_queued(self) -> bool:
        """Say whether it still waits for a thread."""
        return not (self.outcome.running() or self.outcome.done())

    async def result(self) -> Any:
        """Wait for the outcome without blocking the loop.

        Where the wait is cancelled, a call that has not begun never does, a coroutine is cancelled, and a function
        runs on: nothing can end it.
        """
        try:
            return await asyncio.wrap_future(self.outcome)
        except asyncio.CancelledError:
            self._end()
            raise

    def run(self, runner: asyncio.Runner) -> None:
        """Make the call, in the thread of `runner`."""
        if not self.outcome.set_running_or_notify_cancel():
            return
        try:
            result = self._run(runner)
        except StopIteration as error:
            self.outcome.set_exception(_told(error))  # no future takes it
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whoever waits gets it
            self.outcome.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in old code ends its task and no host
            self.outcome.set_exception(_told(error))
        else:
            self.outcome.set_result(result)

    def _run(self, runner: asyncio.Runner) -> object:
        returned = self._context.run(self._function)
        if not inspect.isawaitable(returned):
            return returned
        return runner.run(self._awaited(returned), context=self._context)

    async def _awaited(self, returned: Awaitable[object]) -> object:
        self._task = asyncio.current_task()
        return await returned

    def _end(self) -> None:
        task = self._task
        if task is not None and not self.outcome.done():
            # A loop that is closed has nothing left to end.
            with contextlib.suppress(RuntimeError):
                task.get_loop().call_soon_threadsafe(task.cancel)


def _told(error: BaseException) -> RuntimeError:
    told = RuntimeError(f"the agent's code raised {error!r}")
    told.__cause__ = error
    return told


class LegacyThreads:
    """Takes calls in their order, one at a time in each thread; there is one thread until more are asked for.

    Each has an event loop of its own, the same for all its calls. They end with this object, or with the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._calls: SimpleQueue[LegacyCall | None] = SimpleQueue()
        self.grow_to(1)

    def grow_to(self, count: int) -> None:
        """Have `count` threads from now on."""
        for number in range(self._count + 1, count + 1):
            Thread(target=_work, args=(self._calls,), name=f"legacy:{self._name}#{number}", daemon=True).start()
            weakref.finalize(self, self._calls.put, None)
        self._count = max(self._count, count)

    def start(self, call: LegacyCall) -> None:
        """Make a call as soon as a thread is free."""
        self._calls.put(call)


def _work(calls: SimpleQueue[LegacyCall | None]) -> None:
    with asyncio.Runner() as runner:
        runner.get_loop()  # which makes it the thread's own: old code may ask for it before there is a coroutine
        for call in iter(calls.get, None):
            call.run(runner)
            del call  # it holds what it was called for, and the next may be long in coming
