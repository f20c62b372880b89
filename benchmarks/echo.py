"""An agent that needs no model, for benchmarks that want a real host process: `sutazai run benchmarks.echo:Echo`."""

from agents.core.base_agent_v2 import BaseAgentV2
from schemas import TaskMessage


class Echo(BaseAgentV2):
    """Returns the prompt."""

    needs_model = False

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        """Return the prompt."""
        return {"response": task.prompt or ""}
