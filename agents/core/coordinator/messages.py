"""What the coordinator is told, as JSON, and where. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from agents.core.base_agent_v2 import AgentStatus, BaseAgentV2
from schemas import TaskResult, now

REGISTER: Final = "/api/agents/register"
HEARTBEAT: Final = "/api/agents/heartbeat"
COMPLETE: Final = "/api/tasks/complete"


def registration(agent: BaseAgentV2) -> bytes:
    """Say who an agent is and what it can do."""
    return _json(
        {
            "agent_name": agent.name,
            "agent_type": agent.agent_type,
            "agent_version": agent.agent_version,
            "capabilities": agent.capabilities,
            "status": agent.status.value,
            "model": agent.model,
            "max_concurrent_tasks": agent.max_concurrent_tasks,
            "timestamp": now().isoformat(),
        }
    )


def heartbeat(health: Mapping[str, Any]) -> bytes:
    """Say how an agent does: the keys of its `health_check`."""
    return _json(health)


def farewell(health: Mapping[str, Any]) -> bytes:
    """Say that an agent has stopped; the last heartbeat."""
    return _json({**health, "status": AgentStatus.STOPPED.value, "healthy": False})


def completion(result: TaskResult) -> bytes:
    """Say how a task ended: the terminal result as it went over the bus."""
    return result.model_dump_json().encode()


def _json(value: Mapping[str, Any]) -> bytes:
    # An agent may put into its own health what JSON does not know.
    return to_json(value, fallback=str, inf_nan_mode="null")
