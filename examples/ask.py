"""Ask an agent from a Python program.

Needs a running agent, such as `sutazai run senior-engineer`. Then:

    python examples/ask.py senior-engineer "Answer in one sentence: what is a mutex?"
"""

import os
import sys

from agents import Client, broker_at
from agents.core.process import run_process

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/")


async def main() -> None:
    """Print the answer, or why there is none."""
    agent, prompt = sys.argv[1:]
    async with broker_at(URL) as broker:
        result = await Client(broker).ask(agent, prompt, priority="high", timeout=120)
    print(result.result or result.error)


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - the program itself, AGENT and PROMPT
        print('usage: python examples/ask.py AGENT "PROMPT"', file=sys.stderr)
        sys.exit(2)
    # As asyncio.run, but an error of the broker is one line and an exit code, as those of `sutazai`.
    run_process(main, "error")
