"""Ask an agent from a Python program.

Needs a running agent, such as `sutazai run senior-engineer`. Then:

    python examples/ask.py senior-engineer "Answer in one sentence: what is a mutex?"
"""

import asyncio
import os
import sys

from agents import Client, broker_at

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/")


async def main(agent: str, prompt: str) -> None:
    """Print the answer, or why there is none."""
    async with broker_at(URL) as broker:
        result = await Client(broker).ask(agent, prompt, priority="high", timeout=120)
    print(result.result or result.error)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
