"""What crosses a wire: frozen pydantic models, no I/O. Imports neither `bus` nor `agents`."""

from schemas.base import AGENT_NAME_PATTERN, AgentName, MappingWire, Timestamp, Wire, now
from schemas.control import (
    CancelTask,
    Control,
    ControlKind,
    DrainHost,
    Hello,
    Order,
    PauseAgents,
    ReportRequest,
    ResumeAgents,
    Returned,
)
from schemas.event import EventKind, TaskEvent
from schemas.priority import HIGHEST, Priority, parse_priority, priority_name
from schemas.report import (
    AgentReport,
    BreakerReport,
    HandlingSeconds,
    HeldTask,
    HostReport,
    PoolReport,
    Report,
    ReportKind,
)
from schemas.result import NO_USAGE, PastAttempt, TaskError, TaskResult, TaskStatus, Usage
from schemas.retry import RetryRules
from schemas.task import TaskMessage, new_task_id

__all__ = [
    "AGENT_NAME_PATTERN",
    "HIGHEST",
    "NO_USAGE",
    "AgentName",
    "AgentReport",
    "BreakerReport",
    "CancelTask",
    "Control",
    "ControlKind",
    "DrainHost",
    "EventKind",
    "HandlingSeconds",
    "HeldTask",
    "Hello",
    "HostReport",
    "MappingWire",
    "Order",
    "PastAttempt",
    "PauseAgents",
    "PoolReport",
    "Priority",
    "Report",
    "ReportKind",
    "ReportRequest",
    "ResumeAgents",
    "RetryRules",
    "Returned",
    "TaskError",
    "TaskEvent",
    "TaskMessage",
    "TaskResult",
    "TaskStatus",
    "Timestamp",
    "Usage",
    "Wire",
    "new_task_id",
    "now",
    "parse_priority",
    "priority_name",
]
