"""How a function that may be async, sync, or return an awaitable is called."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def is_async(func: Callable[..., object]) -> bool:
    """Tell whether calling `func` only makes a coroutine: async functions, partials of them, async `__call__`."""
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(type(func).__call__)


async def invoke(func: Callable[..., Any], args: Sequence[object], kwargs: Mapping[str, object]) -> object:
    """Call `func` and return its result, without ever blocking the event loop.

    An async function runs in the loop. Anything else runs in a thread, since it may block; an awaitable that it
    returns (a lambda around a coroutine) is then awaited in the loop. Cancellation stops an async function, and stops
    waiting for a thread, which itself runs on to its end.
    """
    if is_async(func):
        return await func(*args, **kwargs)
    result = await asyncio.to_thread(_call, func, args, kwargs)
    return await result if inspect.isawaitable(result) else result


def _call(func: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> object:
    try:
        return func(*args, **kwargs)
    except StopIteration as error:
        # A future refuses a StopIteration: until Python 3.12 it would stay pending for ever.
        raise RuntimeError("the function raised StopIteration") from error
