"""Tracing a whole process, where somebody asks for it."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from typing import Final

import structlog

from agents.core.settings import Settings, SettingsError
from agents.core.tracing.choice import ExporterUnknown, choice_of, ignored_by
from agents.core.tracing.extra import ExtraMissingError, require_extra

log = structlog.get_logger(__name__)

_setting_up: Final = threading.Lock()
"""A process has one provider: who comes second, in another thread, has to find that of the first."""


@contextmanager
def traced(settings: Settings, service: str) -> Iterator[None]:
    """Export the spans of this process for the block, if the settings or OpenTelemetry's variables ask for that.

    `service` is the name it has in traces, unless OTEL_SERVICE_NAME gives another. A program that has set a provider
    of its own keeps it. Of two blocks at the same time, all spans go where the one entered last says, until that ends.
    Leaving the block takes three seconds at most, whatever has become of the collector.

    Raises:
        ExtraMissingError: our own setting asks for it, and the extra is not installed. Where only the variables do,
            that is a warning: they are meant for all programs of a machine. So it is where one of them is wrong.
        SettingsError: the file cannot be written.
    """
    with _setting_up:
        block = _set_up(settings, service)
    with block:
        yield


@asynccontextmanager
async def traced_async(settings: Settings, service: str) -> AsyncIterator[None]:
    """Do what `traced` does while the event loop goes on: setting up takes long, and so may the end.

    Raises:
        ExtraMissingError, SettingsError: as `traced`.
    """
    loop, block = asyncio.get_running_loop(), ExitStack()
    # Not the loop's own threads, which a program may have filled. One thread: what was cancelled while it set up is
    # ended after that.
    own = ThreadPoolExecutor(1, "tracing")
    try:
        await loop.run_in_executor(own, block.enter_context, traced(settings, service))
        yield
    finally:
        ending = loop.run_in_executor(own, block.close)
        own.shutdown(wait=False)
        await ending


def _set_up(settings: Settings, service: str) -> AbstractContextManager[None]:
    try:
        return _as_chosen(settings, service)
    except ExtraMissingError as error:
        if settings.tracing is not None:
            raise
        reason = str(error)
    except SettingsError:
        raise
    except ExporterUnknown as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - at a wrong variable of its own the SDK raises what it likes
        reason = f"OpenTelemetry cannot be set up: {error!r}"
    log.warning("tracing.off", reason=reason)
    return nullcontext()


def _as_chosen(settings: Settings, service: str) -> AbstractContextManager[None]:
    choice = choice_of(settings.tracing, os.environ)
    if choice is None:
        return nullcontext()
    require_extra()
    from agents.core.tracing.export import exporting  # noqa: PLC0415 - an extra

    for reason in ignored_by(choice, os.environ):
        log.warning("tracing.ignored", reason=reason)
    return exporting(choice, service, settings.host_name)
