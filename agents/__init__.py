"""Language-model agents behind RabbitMQ: write a class or a Markdown file, and run it."""

from pkgutil import extend_path

# A program's own folder `agents/`, without an __init__.py, joins this package: `python -m agents.my_agent.app`.
__path__ = extend_path(__path__, __name__)

from agents.core.base_agent_v2 import AgentStatus, BaseAgent, BaseAgentV2
from agents.core.circuit_breaker import CircuitBreaker, CircuitBreakerOpenException, CircuitState
from agents.core.host import Host
from agents.core.markdown_agent import MarkdownAgent
from agents.core.model.errors import ModelError
from agents.core.ollama_integration import OllamaConfig
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestPriority, RequestQueue
from agents.core.settings import Settings, load_settings
from bus.client import Client
from bus.connect import broker_at
from bus.errors import PermanentError, RejectedError, RetryableError
from schemas import Priority, TaskMessage, TaskResult, TaskStatus

__all__ = [
    "AgentStatus",
    "BaseAgent",
    "BaseAgentV2",
    "CircuitBreaker",
    "CircuitBreakerOpenException",
    "CircuitState",
    "Client",
    "Host",
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
    "load_settings",
]
