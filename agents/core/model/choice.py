"""Which model a call asks, and with which options. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas import TaskMessage

_PENALTIES: Final = ("frequency_penalty", "presence_penalty")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """An agent's model and options. Options come later and stronger: tier, agent, task, the call itself."""

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_tier(cls, config: Mapping[str, Any]) -> "ModelChoice":
        """Read what `OllamaConfig.get_model_config` gives; penalties of 0 are the server's default and left out."""
        options = {name: value for name, value in config.items() if name != "model"}
        return cls(config["model"], {name: value for name, value in options.items() if value or name not in _PENALTIES})

    def with_agent(self, model: str | None, options: Mapping[str, Any]) -> "ModelChoice":
        """Return the choice of an agent that has opinions of its own."""
        return ModelChoice(model or self.model, {**self.options, **options})

    def for_call(
        self, task: TaskMessage | None, model: str | None, options: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Return model and options of one call, `max_tokens` under Ollama's name."""
        of_task = {} if task is None else task.options
        merged = {**_native(self.options), **_native(of_task), **_native(options)}
        return model or (task.model if task else None) or self.model, merged


def _native(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"num_predict" if name == "max_tokens" else name: value for name, value in options.items()}
