"""MarkdownAgent: an agent without code. Its file gives name, model and system prompt; the model does the work."""

import json
from typing import Any

import structlog

from agents.core.base_agent_v2 import AgentStatus, BaseAgentV2
from agents.core.catalog import AgentFile
from agents.core.model.choice import ModelChoice
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import TaskMessage

log = structlog.get_logger(__name__)


class MarkdownAgent(BaseAgentV2):
    """Answers a task's prompt, and its data as JSON below it, under the system prompt of its file."""

    def __init__(self, file: AgentFile, **arguments: Any) -> None:
        """`arguments` are those of BaseAgentV2 but name and description, which the file gives."""
        super().__init__(name=file.name, description=file.summary, **arguments)
        self.file = file
        self.capabilities = (file.category,)
        self.max_attempts, self.retry, self.task_timeout = file.max_attempts, file.retry, file.task_timeout
        self.input_model, self.output_model = file.input_model, file.output_model
        self.output_repairs = self.output_repairs if file.output_repairs is None else file.output_repairs
        of_tier = ModelChoice.of_tier(self.settings.tiers[file.tier].as_dict())
        self.models.choice = of_tier.with_agent(file.model, file.options)

    async def process_task(self, task: TaskMessage) -> dict[str, str] | str:
        """Return the model's answer under `response`; with an `output_model`, the answer itself, which is its JSON."""
        answer = await self.query_ollama(prompt_of(task), system=self.file.system_prompt)
        return {"response": answer} if self.output_model is None else answer

    def enter(self, status: AgentStatus, pool: OllamaConnectionPool | None = None) -> None:
        """Move to the next stage of life. At the start, say which keys of the file look misspelt, or name tools."""
        super().enter(status, pool)
        if status is AgentStatus.ACTIVE:
            if self.file.has_tools:
                log.info("agent_file.tools_unused", file=str(self.file.path), tools=self.file.extra["tools"])
            for key, meant in self.file.misspelt.items():
                log.warning("agent_file.unknown_key", file=str(self.file.path), key=key, meant=meant)


def prompt_of(task: TaskMessage) -> str:
    """Return what the model is asked: the prompt, the data as indented JSON, or both."""
    data = None if task.data is None else json.dumps(task.data, indent=2, ensure_ascii=False)
    return "\n\n".join(part for part in (task.prompt, data) if part is not None)
