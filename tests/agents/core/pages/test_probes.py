"""What makes a host dead, and what makes it not ready."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.host_stage import HostStage
from agents.core.pages.probes import AgentState, liveness, readiness
from bus.alarm import ALARM
from bus.broker import ConsumerState, LinkState

UP = {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}
TAKES = AgentState("one", ConsumerState.CONSUMING)


def test_a_host_lives_unless_something_in_it_has_died() -> None:
    assert liveness(None).is_good
    verdict = liveness("reports:vm-1")
    assert (verdict.is_good, verdict.why) == (False, "reports:vm-1 has died, so the host stops; the log tells why")


def test_a_running_host_whose_agents_are_at_their_queues_is_ready() -> None:
    full = AgentState("two", ConsumerState.FULL)
    assert (readiness(HostStage.RUNNING, UP, [TAKES, full]).is_good, readiness(HostStage.RUNNING, UP, []).why) == (
        True,
        "ready",
    )


def test_a_pause_leaves_it_ready_and_is_told() -> None:
    paused = AgentState("two", ConsumerState.PAUSED, "the model server does not answer")
    verdict = readiness(HostStage.RUNNING, UP, [TAKES, paused])
    assert verdict.is_good
    assert verdict.why == "ready; 1 of 2 agents are paused: the model server does not answer"


@pytest.mark.parametrize("stage", [stage for stage in HostStage if stage is not HostStage.RUNNING])
def test_before_and_after_its_work_it_is_not(stage: HostStage) -> None:
    verdict = readiness(stage, UP, [TAKES])
    assert (verdict.is_good, verdict.why) == (False, f"the host is {stage.value.replace('_', ' ')}")


def test_a_blocked_connection_is_ready_and_a_lost_one_is_not() -> None:
    blocked = readiness(HostStage.RUNNING, UP | {"publishing": LinkState.BLOCKED}, [TAKES])
    assert (blocked.is_good, blocked.why) == (True, f"ready; {ALARM}")
    verdict = readiness(HostStage.RUNNING, UP | {"consuming": LinkState.CONNECTING}, [TAKES])
    assert (verdict.is_good, verdict.why) == (False, "the connection to RabbitMQ is lost (consuming); it comes back")


def test_agents_that_are_not_at_their_queues_are_told() -> None:
    lost = [AgentState(name, ConsumerState.LOST) for name in ("two", "three")]
    verdict = readiness(HostStage.RUNNING, UP, [TAKES, *lost])
    assert (verdict.is_good, verdict.why) == (False, "not all agents are at their queues: two is lost, and 1 more")
    one = readiness(HostStage.RUNNING, UP, [AgentState("two", ConsumerState.STARTING)])
    assert one.why == "not all agents are at their queues: two is starting"


states = st.builds(
    AgentState, st.just("a"), st.sampled_from(ConsumerState), st.one_of(st.none(), st.just("operator: x"))
)


@given(
    st.sampled_from(HostStage),
    st.dictionaries(st.sampled_from(["consuming", "publishing"]), st.sampled_from(LinkState)),
    st.lists(states),
)
def test_every_answer_is_one_line(stage: HostStage, links: dict[str, LinkState], agents: list[AgentState]) -> None:
    why = readiness(stage, links, agents).why
    assert why
    assert "\n" not in why
