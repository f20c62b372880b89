"""Two agents, one of which asks the other: a researcher writes, a critic reads it, the researcher writes it anew.

    python examples/researcher_and_critic.py "Why is the sky blue?"

The broker is that of AMQP_URL (`memory://` needs none), the model server that of OLLAMA_URL. One sees each task as it
ends, with the task it was done for, and the answer:

    critic cdcbe28b for 96d68563: completed in 1.7 s
        The weakest place of this text is the phrase "the Earth's atmosphere scattering sunlight in all directions." ...
    researcher 96d68563: completed in 8.6 s
        The Earth's atmosphere is composed of a gas called nitrogen (N2), which is a mixture of gases that ...

`sutazai run researcher_and_critic:Critic` in this folder runs a critic elsewhere, and both then share the work.
"""

import argparse
import sys

from agents import BaseAgentV2, Client, Host, TaskMessage, TaskResult, TaskStatus
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process


class Researcher(BaseAgentV2):
    """Answers a question in a second version, for which a critic has read the first."""

    async def process_task(self, task: TaskMessage) -> dict[str, object]:
        """Return `answer`, `draft` and `critique`. A critique that fails fails this task too, and says why."""
        draft = await self.query_ollama(f"Answer in three sentences: {task.prompt}", max_tokens=128)
        # The critic's task has this one's priority and deadline, and is cancelled with it. To wait takes no model slot.
        review = await self.delegate("critic", draft)
        asked = f"{task.prompt}\n\nA first answer: {draft}\n\nIts critique: {review.result}\n\nA better answer:"
        answer = await self.query_ollama(asked, max_tokens=128)
        return {"answer": answer.strip(), "draft": draft.strip(), "critique": review.result}


class Critic(BaseAgentV2):
    """Finds the weakest place of a text."""

    async def process_task(self, task: TaskMessage) -> str:
        """Return one sentence about the text in the prompt."""
        asked = f"{task.prompt}\n\nWhat is the weakest place of this text? Answer in one sentence."
        return (await self.query_ollama(asked, max_tokens=64)).strip()


async def research(question: str) -> None:
    """Run both agents, ask the first, and show the tasks that this makes."""
    researcher, critic = Researcher(name="researcher"), Critic(name="critic")
    async with Host([researcher, critic], researcher.settings) as host:
        await host.pool.refresh_models()  # no model server: one line says so, where the tasks would wait for it
        client = Client(host.broker, host.topology)
        async with client.results() as results:
            task = await client.submit(researcher.name, question, timeout=300)
            async for result in results:
                if task.id in (result.task_id, result.parent_id):
                    show(result)
                if result.task_id == task.id:
                    break
    if result.status is not TaskStatus.COMPLETED:
        sys.exit(ExitCode.TASK_NOT_COMPLETED)


def show(result: TaskResult) -> None:
    """Print one line about a task, and one with what it brought."""
    parent = f" for {result.parent_id[:8]}" if result.parent_id else ""
    print(f"{result.agent} {result.task_id[:8]}{parent}: {result.status} in {result.processing_time:.1f} s")
    brought = result.result["answer"] if isinstance(result.result, dict) else result.result
    print(f"    {getattr(result.error, 'message', brought)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Have a question answered by two agents.")
    parser.add_argument("question")
    given = parser.parse_args()
    if not given.question.strip():
        parser.error("give a question")
    run_process(lambda: research(given.question), "error")
