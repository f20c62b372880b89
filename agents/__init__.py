"""Language-model agents behind RabbitMQ: write a class or a Markdown file, and run it."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Final

# A program's own folder `agents/`, without an __init__.py, joins this package: `python -m agents.my_agent.app`.
__path__ = extend_path(__path__, __name__)

_HOMES: Final = {
    "agents.core.base_agent_v2": ("AgentStatus", "BaseAgent", "BaseAgentV2"),
    "agents.core.circuit_breaker": ("CircuitBreaker", "CircuitBreakerOpenException", "CircuitState"),
    "agents.core.delegation_rules": ("DelegationFailed",),
    "agents.core.host": ("Host",),
    "agents.core.markdown_agent": ("MarkdownAgent",),
    "agents.core.model.errors": ("InvalidOutput", "ModelError"),
    "agents.core.migration.factory": ("create_agent_factory",),
    "agents.core.migration.legacy_wrapper": ("LegacyAgentWrapper",),
    "agents.core.ollama_integration": ("OllamaConfig",),
    "agents.core.ollama_pool": ("OllamaConnectionPool",),
    "agents.core.request_queue": ("RequestPriority", "RequestQueue"),
    "agents.core.settings": ("Settings", "load_settings"),
    "agents.core.typed_input": ("InvalidInput",),
    "bus.client": ("Client",),
    "bus.connect": ("broker_at",),
    "bus.errors": ("PermanentError", "RejectedError", "RetryableError"),
    "schemas": ("Priority", "TaskMessage", "TaskResult", "TaskStatus"),
}
"""Where each name is fetched from when it is first asked for: all of them take half a second, which a program that only
publishes, or hears Ctrl-C while it starts, need not wait for."""

if TYPE_CHECKING:
    from agents.core.base_agent_v2 import AgentStatus, BaseAgent, BaseAgentV2
    from agents.core.circuit_breaker import CircuitBreaker, CircuitBreakerOpenException, CircuitState
    from agents.core.delegation_rules import DelegationFailed
    from agents.core.host import Host
    from agents.core.markdown_agent import MarkdownAgent
    from agents.core.migration.factory import create_agent_factory
    from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
    from agents.core.model.errors import InvalidOutput, ModelError
    from agents.core.ollama_integration import OllamaConfig
    from agents.core.ollama_pool import OllamaConnectionPool
    from agents.core.request_queue import RequestPriority, RequestQueue
    from agents.core.settings import Settings, load_settings
    from agents.core.typed_input import InvalidInput
    from bus.client import Client
    from bus.connect import broker_at
    from bus.errors import PermanentError, RejectedError, RetryableError
    from schemas import Priority, TaskMessage, TaskResult, TaskStatus
else:

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                return globals().setdefault(name, getattr(import_module(home), name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "AgentStatus",
    "BaseAgent",
    "BaseAgentV2",
    "CircuitBreaker",
    "CircuitBreakerOpenException",
    "CircuitState",
    "Client",
    "DelegationFailed",
    "Host",
    "InvalidInput",
    "InvalidOutput",
    "LegacyAgentWrapper",
    "MarkdownAgent",
    "ModelError",
    "OllamaConfig",
    "OllamaConnectionPool",
    "PermanentError",
    "Priority",
    "RejectedError",
    "RequestPriority",
    "RequestQueue",
    "RetryableError",
    "Settings",
    "TaskMessage",
    "TaskResult",
    "TaskStatus",
    "broker_at",
    "create_agent_factory",
    "load_settings",
]
