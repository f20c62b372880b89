"""A program: one host of the agent `worker`, whose process does not survive the task "poison"."""

import asyncio
import os
import signal
import sys

from bus.attempt import Attempt
from bus.consumer import Consumer
from bus.rabbitmq import RabbitBroker
from bus.retry import RetryPolicy
from bus.topology import QueueType, Topology
from schemas import TaskResult
from tests.support.bus_world import AGENT, RUNGS_MS, completed

POISON = "poison"
MAX_REDELIVERIES = 2
PREFETCH = 3

WORK = 0.4
"""Seconds that other tasks take. The poisonous one kills at once, so each death is theirs as well."""


async def handle(attempt: Attempt) -> TaskResult:
    """Echo the prompt, or die of it as no `finally` and no handler of signals can prevent."""
    if attempt.task.prompt == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(WORK)
    return completed(attempt)


async def main(url: str, prefix: str, queue_type: str) -> None:
    """Work until the end of the process."""
    topology = Topology(prefix=prefix, queue_type=QueueType(queue_type), rungs_ms=RUNGS_MS)
    policy = RetryPolicy(max_redeliveries=MAX_REDELIVERIES)
    async with (
        RabbitBroker([url], "deadly", "1") as broker,
        Consumer(broker, topology, AGENT, handle, host=f"host-{os.getpid()}", prefetch=PREFETCH, policy=policy),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
