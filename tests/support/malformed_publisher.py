"""Publishes messages as no well-meant library would, straight to the wire."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import aio_pika
from aio_pika.abc import UnderlayChannel

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
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel, asyncio.TaskGroup() as group:
        underlay = await channel.get_underlay_channel()
        light, heavy = asyncio.Semaphore(WINDOW), asyncio.Semaphore(HEAVY_WINDOW)
        for sample in samples:
            window = heavy if len(sample.body) >= HUGE_BYTES else light
            await window.acquire()
            note(sample)
            publishing = group.create_task(_publish(underlay, exchange, key, sample), name="publish-malformed")
            publishing.add_done_callback(lambda _, window=window: window.release())


async def _publish(channel: UnderlayChannel, exchange: str, key: str, sample: Sample) -> None:
    await channel.basic_publish(sample.body, exchange=exchange, routing_key=key, properties=sample.properties)
