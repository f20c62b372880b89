"""Publish one task and wait for its result with plain aio-pika: what any AMQP library in any language does.

Needs a running agent, such as `sutazai run senior-engineer`. Then:

    python examples/publish_with_aio_pika.py senior-engineer "What is a mutex?"
"""

import asyncio
import json
import logging
import os
import sys
from uuid import uuid4

import aio_pika

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/")


async def main(agent: str, prompt: str) -> None:
    """Listen first, publish second: a result that nobody listens to is not kept."""
    task_id = uuid4().hex
    async with await aio_pika.connect(URL) as connection, connection.channel(on_return_raises=True) as channel:
        replies = await channel.declare_queue(exclusive=True)
        results = await channel.get_exchange("sutazai.results", ensure=False)
        await replies.bind(results, f"{agent}.*")

        # A task for an agent that nobody has started would be kept in sutazai.unrouted, and waited for in vain.
        await channel.get_queue(f"sutazai.tasks.{agent}", ensure=True)
        tasks = await channel.get_exchange("sutazai.tasks", ensure=False)
        body = json.dumps({"id": task_id, "prompt": prompt, "timeout": 120}).encode()
        task = aio_pika.Message(body, priority=7, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await tasks.publish(task, routing_key=agent)

        async with replies.iterator() as messages:
            async for message in messages:
                await message.ack()
                result = json.loads(message.body)
                if result["task_id"] == task_id:
                    print(json.dumps(result, indent=2))
                    return


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - the program itself, AGENT and PROMPT
        print('usage: python examples/publish_with_aio_pika.py AGENT "PROMPT"', file=sys.stderr)
        sys.exit(2)
    logging.getLogger("aiormq").addHandler(logging.NullHandler())  # it logs what is raised as well
    try:
        asyncio.run(main(*sys.argv[1:]))
    except aio_pika.exceptions.ChannelNotFoundEntity as error:
        print(f"error: nobody has ever started agent {sys.argv[1]!r} on this broker: {error}", file=sys.stderr)
        sys.exit(5)
    except (aio_pika.exceptions.AMQPError, OSError) as error:
        print(f"error: no RabbitMQ at the address in AMQP_URL: {error}", file=sys.stderr)
        sys.exit(3)
