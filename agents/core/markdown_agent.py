"""MarkdownAgent: an agent without code. Its file gives name, model and system prompt; the model does the work."""

import json
from typing import Any

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.catalog import AgentFile
from agents.core.model.choice import ModelChoice
from agents.core.tiers import settings_of
from schemas import TaskMessage


class MarkdownAgent(BaseAgentV2):
    """Answers a task's prompt, and its data as JSON below it, under the system prompt of its file."""

    def __init__(self, file: AgentFile, **arguments: Any) -> None:
        """`arguments` are those of BaseAgentV2 but name and description, which the file gives."""
        super().__init__(name=file.name, description=file.description, **arguments)
        self.file = file
        self.max_attempts, self.retry, self.task_timeout = file.max_attempts, file.retry, file.task_timeout
        of_tier = ModelChoice.of_tier(settings_of(file.tier, self.settings.tier_models).as_dict())
        self.models.choice = of_tier.with_agent(file.model, file.options)

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        """Return the model's answer under `response`."""
        return {"response": await self.query_ollama(prompt_of(task), system=self.file.system_prompt)}


def prompt_of(task: TaskMessage) -> str:
    """Return what the model is asked: the prompt, the data as indented JSON, or both."""
    data = None if task.data is None else json.dumps(task.data, indent=2, ensure_ascii=False)
    return "\n\n".join(part for part in (task.prompt, data) if part is not None)
