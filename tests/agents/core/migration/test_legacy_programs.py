"""The seed document's first option, as a program of its own: an old class, imported, wrapped, run."""

import signal
import sys
from pathlib import Path

import agents
from schemas import TaskStatus
from tests.agents.core.migration.old_agents import simple, write_agent
from tests.support.agent_world import connected_client, settings_for
from tests.support.program import program

PROGRAM = f"""
import sys
sys.path.append({str(Path(agents.__file__).parent)!r})
from core.migration.aliases import join_old_bases
from core.migration.legacy_wrapper import LegacyAgentWrapper

join_old_bases()
from old_agent import OldAgent

# Instant compatibility
wrapper = LegacyAgentWrapper(OldAgent)
wrapper.run()
"""


async def test_an_old_agent_in_a_program_of_ones_own_is_wrapped_and_runs(vhost_url: str, tmp_path: Path) -> None:
    write_agent(tmp_path, simple("OldAgent", "'hello'", "from shared.agent_base import BaseAgent"), "old_agent.py")
    write_agent(tmp_path, PROGRAM, "program.py")
    env = {"AMQP_URL": vhost_url, "SUTAZAI_GRACE_PERIOD": "1"}
    async with (
        connected_client(settings_for(vhost_url)) as client,
        program(sys.executable, "program.py", env=env, cwd=tmp_path) as running,
    ):
        await running.says("host.started")
        result = await client.ask("old-agent", "Hi", timeout=20)
        running.send(signal.SIGTERM)
        assert await running.ends() == 0
    assert (result.status, result.result["says"]) == (TaskStatus.COMPLETED, "hello")
    assert "Traceback" not in running.err
