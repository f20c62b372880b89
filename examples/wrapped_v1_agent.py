"""An agent of the first generation, unchanged, behind RabbitMQ: sync code that blocks, and state between its tasks.

    python examples/wrapped_v1_agent.py mutex semaphore mutex

The broker is that of AMQP_URL (`memory://` needs none), the model server that of OLLAMA_URL. One sees a line
for each task; the second `mutex` comes from what the old object remembers:

    mutex: completed in 0.4 s: {'status': 'success', 'meaning': 'A mutex is a synchronization ...', 'was_known': False}
    semaphore: completed in 0.4 s: {'status': 'success', 'meaning': 'A semaphore is ...', 'was_known': False}
    mutex: completed in 0.0 s: {'status': 'success', 'meaning': 'A mutex is a synchronization ...', 'was_known': True}

For an old file there is nothing to write at all: `sutazai run --legacy PATH`.
"""

import argparse
import asyncio
import sys

from agents import Client, Host, LegacyAgentWrapper, TaskStatus
from agents.core.exit_codes import ExitCode
from agents.core.migration.legacy_base import LegacyBaseAgent
from agents.core.process import run_process


class GlossaryKeeper(LegacyBaseAgent):
    """As it was written then; its file has `from agent_base import BaseAgent`, which means the same base."""

    def __init__(self, language: str = "English") -> None:
        super().__init__()
        self.language = language
        self.known: dict[str, str] = {}

    def process_task(self, task: dict[str, str]) -> dict[str, object]:
        """Explain a word; ask the model once for each."""
        word = task["prompt"].strip().lower()
        if len(word.split()) != 1:
            return {"status": "error", "message": f"{word!r} is not one word"}
        was_known = word in self.known
        if not was_known:
            self.known[word] = self.query_ollama(f"Explain the word {word} in one short sentence of {self.language}.")
        return {"status": "success", "meaning": self.known[word], "was_known": was_known}


async def explain(words: list[str]) -> None:
    """Wrap the old class, run it, and ask it one word after the other."""
    # In a thread, because an old __init__ may block. Arguments after the class are for it.
    agent = await asyncio.to_thread(LegacyAgentWrapper, GlossaryKeeper, language="English", name="glossary-keeper")
    all_good = True
    async with Host([agent], agent.settings) as host:
        await host.pool.refresh_models()  # no model server: one line says so, where the tasks would wait for it
        client = Client(host.broker, host.topology)
        for word in words:
            result = await client.ask(agent.name, word)
            told = getattr(result.error, "message", None) or result.result
            print(f"{word}: {result.status} in {result.processing_time:.1f} s: {told}")
            all_good = all_good and result.status is TaskStatus.COMPLETED
    if not all_good:
        sys.exit(ExitCode.TASK_NOT_COMPLETED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Have words explained by an agent of the first generation.")
    parser.add_argument("words", nargs="+", metavar="WORD")
    given = parser.parse_args()
    if not all(word.strip() for word in given.words):
        parser.error("give words that are not empty")
    run_process(lambda: explain(given.words), "error")
