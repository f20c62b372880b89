"""What a wrapped agent is called and how it is described, whatever its class derives from."""

from typing import Any

import pytest

from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.settings import SettingsError
from tests.agents.core.migration.old_agents import Thermometer
from tests.support.agent_world import agent_world


class Bare:
    """Derives from nothing."""

    def process_task(self, task: dict[str, Any]) -> dict[str, Any]:
        return {"answer": self.query_ollama(task["prompt"])}  # type: ignore[attr-defined] # the wrapper's gift


class Named(Bare):
    agent_name = "Odd Job_Man"


@pytest.mark.parametrize(
    ("kind", "given", "environment", "name"),
    [
        (Bare, None, None, "bare"),
        (Bare, None, "from-outside", "from-outside"),
        (Named, None, "from-outside", "odd-job-man"),
        (Named, "given", "from-outside", "given"),
        (Thermometer, None, "from-outside", "from-outside"),
        (Thermometer, "given", "from-outside", "given"),
    ],
)
def test_the_name_is_the_given_one_the_instances_the_environments_or_the_classs(
    kind: type, given: str | None, environment: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment is not None:
        monkeypatch.setenv("AGENT_NAME", environment)
    wrapper = LegacyAgentWrapper(kind, name=given)
    assert wrapper.name == name
    assert getattr(wrapper.old, "agent_name", name) in (name, Named.agent_name)


async def test_a_class_with_another_base_or_none_gets_its_query_too() -> None:
    wrapper = LegacyAgentWrapper(Bare, name="bare")
    async with agent_world(wrapper) as world:
        assert (await world.client.ask("bare", "x", timeout=15)).result == {"answer": "ok"}
    assert wrapper.description == "Derives from nothing."


def test_a_class_without_a_docstring_is_described_all_the_same() -> None:
    assert LegacyAgentWrapper(Named).description == "Named, wrapped"


def test_no_task_at_once_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_concurrent_tasks = 0"):
        LegacyAgentWrapper(Thermometer, max_concurrent_tasks=0)
