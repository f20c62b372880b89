"""The migration report: what each agent of a tree is, and what to do with it next."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, computed_field

from agents.core.migration.findings import Finding, Topic
from agents.core.migration.kinds import Kind
from agents.core.migration.totals import Row, totals_text


class Step(StrEnum):
    """What to do next with an agent."""

    NOTHING = "nothing"
    FINISH = "finish"
    REWRITE = "rewrite"
    WRAP = "wrap"
    HAND = "by hand"
    MEND = "mend"
    LOOK = "look"
    LEAVE = "leave"


class Method(BaseModel):
    """A method of an agent's class."""

    model_config = ConfigDict(frozen=True)

    name: str
    line: int
    is_async: bool


class AgentReport(BaseModel):
    """One agent. `path` is relative to the tree; `base` the dotted name of its base class, None where it has none."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    kind: Kind
    step: Step
    class_name: str | None = None
    base: str | None = None
    methods: tuple[Method, ...] = ()
    wraps: bool = False
    """A v1 agent that LegacyAgentWrapper takes as it is, once it has all that it `needs`."""
    needs: tuple[str, ...] = ()
    """Modules that its file imports and that are not to be found where the report was made."""
    queue: str | None = None
    """What the agent, and so its queue, is called where AGENT_NAME is not set; None where only running it tells."""
    rewrites: bool = False
    """A v1 agent that `sutazai migrate rewrite` takes."""
    findings: tuple[Finding, ...] = ()

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that somebody has to do something about; the others are notes."""
        return tuple(finding for finding in self.findings if finding.topic is not Topic.NOTE)


class MigrationReport(BaseModel):
    """All agents below a path. `str()` is the totals; `troubles` is what could not be looked into."""

    model_config = ConfigDict(frozen=True)

    path: str
    agents: tuple[AgentReport, ...]
    troubles: tuple[Finding, ...] = ()

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def total_agents(self) -> int:
        """How many agents there are, whatever they are."""
        return len(self.agents)

    @computed_field  # type: ignore[prop-decorator] # the same
    @property
    def v2_ready(self) -> int:
        """How many are v2 and have no fault."""
        return sum(agent.step is Step.NOTHING for agent in self.agents)

    @computed_field  # type: ignore[prop-decorator] # the same
    @property
    def need_attention(self) -> int:
        """All others."""
        return self.total_agents - self.v2_ready

    @computed_field  # type: ignore[prop-decorator] # the same
    @property
    def migration_plan(self) -> dict[Step, tuple[str, ...]]:
        """The names of the agents for each step that some need, in the order to go about it."""
        steps = {step: tuple(agent.name for agent in self.agents if agent.step is step) for step in _ORDER}
        return {step: names for step, names in steps.items() if names}

    def __str__(self) -> str:
        rows = [Row(_TOLD[step], names) for step, names in self.migration_plan.items()]
        wrapped = sum(agent.wraps and not agent.needs for agent in self.agents)
        return totals_text(self.total_agents, self.v2_ready, self.need_attention, rows, wrapped)


_TOLD = {
    Step.FINISH: "finish, v2 with a fault",
    Step.REWRITE: "rewrite, `sutazai migrate rewrite`",
    Step.WRAP: "wrap, `sutazai run --legacy`",
    Step.HAND: "move by hand",
    Step.MEND: "mend, the file cannot be read",
    Step.LOOK: "look, no agent's class was found",
    Step.LEAVE: "leave, an HTTP service and no agent",
}
_ORDER = tuple(_TOLD)
