"""Publishes messages as no well-meant library would, straight to the wire."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import aiormq

from bus import tolerant_decoding
from tests.support.malformed import HUGE_BYTES, Sample

WINDOW: Final = 128
"""Messages that wait for their confirm at once."""

HEAVY_WINDOW: Final = 4
"""Of 5 MiB each."""


async def publish_samples(
    amqp_url: str, exchange: str, key: str, samples: Iterable[Sample], note: Callable[[Sample], None]
) -> None:
    """Publish all samples, confirmed and windowed; `note` hears of each before it goes out."""
    tolerant_decoding.install()  # it writes large floats as well
    connection = await aiormq.connect(amqp_url)
    async with connection, asyncio.TaskGroup() as group:
        channel = await connection.channel()
        light, heavy = asyncio.Semaphore(WINDOW), asyncio.Semaphore(HEAVY_WINDOW)
        for sample in samples:
            window = heavy if len(sample.body) >= HUGE_BYTES else light
            await window.acquire()
            note(sample)
            publishing = channel.basic_publish(
                sample.body, exchange=exchange, routing_key=key, properties=sample.properties
            )
            group.create_task(_in_window(publishing, window), name="publish-malformed")


async def _in_window(publishing: Coroutine[Any, Any, object], window: asyncio.Semaphore) -> None:
    try:
        await publishing
    finally:
        window.release()
