"""An agent as a class: it counts words itself and asks the model for a headline.

Start it with `python examples/my_agent.py`; addresses come from AMQP_URL and OLLAMA_URL. Then, in another terminal:

    sutazai submit headline-writer "RabbitMQ keeps tasks until an agent has settled them." --wait
"""

from agents import BaseAgentV2, RejectedError, TaskMessage


class HeadlineWriter(BaseAgentV2):
    """Writes a headline for a text. Its name, and so its queue, is the class's: headline-writer."""

    async def process_task(self, task: TaskMessage) -> dict[str, object]:
        """Return `headline` and `words`; a text of one word is refused."""
        text = (task.prompt or "").strip()
        words = len(text.split())
        if words < 2:  # noqa: PLR2004 - one word has no headline
            raise RejectedError(f"prompt = {text!r}: send a text of two words or more")
        asked = f"Write one headline of at most eight words for this text:\n\n{text}"
        headline = await self.query_ollama(asked, num_predict=24, temperature=0.2)
        return {"headline": headline.strip(), "words": words}


if __name__ == "__main__":
    HeadlineWriter().run()
