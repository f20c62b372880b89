from dataclasses import replace

from agents.core.model.choice import ModelChoice
from agents.core.tiers import TIERS, Tier
from schemas import TaskMessage

OPUS = ModelChoice.of_tier(TIERS[Tier.OPUS].as_dict())


def test_a_tier_gives_model_and_options_without_penalties_of_zero() -> None:
    assert ModelChoice("tinyllama", {"temperature": 0.8, "max_tokens": 4096, "top_p": 0.95}) == OPUS
    assert OPUS.for_call(None, None, {}) == ("tinyllama", {"temperature": 0.8, "num_predict": 4096, "top_p": 0.95})


def test_a_tiers_temperature_of_zero_and_its_penalties_are_kept() -> None:
    tier = replace(TIERS[Tier.OPUS], temperature=0.0, presence_penalty=-1.0)
    options = {"temperature": 0.0, "max_tokens": 4096, "top_p": 0.95, "presence_penalty": -1.0}
    assert ModelChoice.of_tier(tier.as_dict()).options == options


def test_the_call_wins_over_the_task_over_the_agent_over_the_tier() -> None:
    agent = OPUS.with_agent("agent", {"top_k": 1, "temperature": 0.1, "num_ctx": 1})
    assert agent.for_call(None, None, {})[0] == "agent"
    assert OPUS.with_agent(None, {}).model == "tinyllama"
    task = TaskMessage(agent="a", prompt="p", model="task", options={"temperature": 0.2, "num_ctx": 2})
    model, options = agent.for_call(task, None, {"num_ctx": 3})
    assert model == "task"
    assert options == {"temperature": 0.2, "num_predict": 4096, "top_p": 0.95, "top_k": 1, "num_ctx": 3}
    assert agent.for_call(task, "call", {})[0] == "call"


def test_max_tokens_goes_out_under_ollamas_name_wherever_it_was_said() -> None:
    task = TaskMessage(agent="a", prompt="p", options={"max_tokens": 7})
    assert OPUS.for_call(task, None, {})[1]["num_predict"] == 7
    assert OPUS.for_call(task, None, {"max_tokens": 8})[1]["num_predict"] == 8
    assert OPUS.for_call(task, None, {"num_predict": 9})[1]["num_predict"] == 9
