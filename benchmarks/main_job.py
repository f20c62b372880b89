"""What the bus costs for each task: ours over RabbitMQ, against a bare aio-pika consumer, and in memory.

All three move the same number of tasks with a handler that does nothing, in turn and in one run, several times; the
ratios are taken run by run, because these machines are shared and noisy. A model takes seconds for each task, so what
is measured here is how little there is beside it.

    python benchmarks/main_job.py [--tasks 1000] [--rounds 5]
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable

import aio_pika
from rich.console import Console
from rich.table import Table

from agents.core.log import configure_logging
from bus.attempt import Attempt
from bus.broker import Broker
from bus.codec import encode_task
from bus.connect import broker_at
from bus.consumer import Consumer
from bus.private_node import PrivateNode
from bus.topology import Topology
from schemas import TaskMessage, TaskResult, TaskStatus

Run = Callable[[], Awaitable[float]]
"""Does the work once and returns the seconds it took."""

AGENT = "bench"
PREFETCH = 10
TOPOLOGY = Topology(prefix="bench")


async def ours(url: str, tasks: int) -> float:
    """Seconds for `tasks` tasks from the first delivery to the last terminal result, over the broker at `url`."""
    async with broker_at(url, "bench", "0") as broker:
        await broker.declare(TOPOLOGY.shared())
        await broker.declare(TOPOLOGY.agent(AGENT))
        await publish(broker, tasks)
        done = asyncio.Event()
        left = tasks

        async def handle(attempt: Attempt) -> TaskResult:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()
            return TaskResult(task_id=attempt.task.id, status=TaskStatus.COMPLETED, result="done")

        started = time.perf_counter()
        async with Consumer(broker, TOPOLOGY, AGENT, handle, host="bench", prefetch=PREFETCH) as consumer:
            await done.wait()
            await consumer.stop(10)
        return time.perf_counter() - started


async def publish(broker: Broker, tasks: int) -> None:
    """Publish through the bus, all confirms in flight at once."""
    messages = (encode_task(TaskMessage(agent=AGENT, prompt="nothing to do")) for _ in range(tasks))
    await asyncio.gather(*(broker.publish(TOPOLOGY.tasks, AGENT, message) for message in messages))


async def bare(url: str, tasks: int) -> float:
    """Seconds for the same work written by hand with aio-pika: read JSON, publish a confirmed result, ack."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        exchange = await channel.declare_exchange("bare.results", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("bare.tasks", durable=True)
        bodies = (json.dumps({"id": str(n), "prompt": "nothing to do"}).encode() for n in range(tasks))
        send = channel.default_exchange.publish
        persistent = aio_pika.DeliveryMode.PERSISTENT
        await asyncio.gather(*(send(aio_pika.Message(b, delivery_mode=persistent), "bare.tasks") for b in bodies))
        done = asyncio.Event()
        left = tasks

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            nonlocal left
            result = {"task_id": json.loads(message.body)["id"], "status": "completed", "result": "done"}
            body = json.dumps(result).encode()
            await exchange.publish(aio_pika.Message(body, delivery_mode=persistent), "bench.completed")
            await message.ack()
            left -= 1
            if left == 0:
                done.set()

        started = time.perf_counter()
        await queue.consume(on_message)
        await done.wait()
        return time.perf_counter() - started


async def measure(url: str, tasks: int, rounds: int, console: Console) -> None:
    """Run all three in turn and print the figures."""
    contestants: dict[str, Run] = {
        "bare aio-pika": lambda: bare(url, tasks),
        "the bus over RabbitMQ": lambda: ours(url, tasks),
        "the bus in memory": lambda: ours("memory://bench", tasks),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    with console.status("measuring"):
        for _ in range(rounds):
            for name, run in contestants.items():
                seconds[name].append(await run())
    table = Table("", "ms for each task", "against bare aio-pika", title=f"{tasks} tasks, {rounds} rounds, medians")
    for name, taken in seconds.items():
        ratios = [mine / theirs for mine, theirs in zip(taken, seconds["bare aio-pika"], strict=True)]
        table.add_row(name, f"{statistics.median(taken) / tasks * 1000:.2f}", f"{statistics.median(ratios):.2f}")
    console.print(table)


def main() -> None:
    """Measure on AMQP_URL, or on a private node."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    console = Console()
    configure_logging("error")
    url = os.environ.get("AMQP_URL")
    if url is not None:
        asyncio.run(measure(url, chosen.tasks, chosen.rounds, console))
        return
    with PrivateNode(management=False) as node:
        asyncio.run(measure(node.amqp_url, chosen.tasks, chosen.rounds, console))


if __name__ == "__main__":
    main()
