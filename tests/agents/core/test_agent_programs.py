"""An agent's own file as a program: `agent.run()`, and `python -m agents.my_agent.app` beside the installed package."""

import signal
import sys
from pathlib import Path

import pytest

from agents import BaseAgentV2
from bus.node_layout import free_ports
from schemas import TaskStatus
from tests.support.agent_world import connected_client, settings_for
from tests.support.program import program

APP = """
from agents.core.base_agent_v2 import BaseAgentV2, TaskResult


class MyAgent(BaseAgentV2):
    async def process_task(self, task):
        return TaskResult(
            task_id=task["id"], status="completed", result={"echo": task["prompt"], "type": task["type"]},
            processing_time=0.5,
        )


if __name__ == "__main__":
    agent = MyAgent()
    agent.run()
"""


async def test_a_folder_agents_without_init_joins_the_package_and_its_agent_runs(
    vhost_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "agents" / "my_agent"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    env = {"AMQP_URL": vhost_url, "SUTAZAI_GRACE_PERIOD": "1"}
    async with (
        connected_client(settings_for(vhost_url)) as client,
        program(sys.executable, "-m", "agents.my_agent.app", env=env, cwd=tmp_path) as running,
    ):
        await running.says("host.started")
        result = await client.ask("my-agent", "Hi", timeout=10, type="greet")
        running.send(signal.SIGTERM)
        assert await running.ends() == 0
    assert (result.status, result.result) == (TaskStatus.COMPLETED, {"echo": "Hi", "type": "greet"})
    assert "Traceback" not in running.err


@pytest.mark.parametrize("method", ["run", "start"])
def test_an_agent_that_cannot_reach_its_broker_ends_with_a_sentence_and_a_code(
    method: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("AMQP_URL", f"amqp://me:pa55word@127.0.0.1:{port}/")
    monkeypatch.setenv("SUTAZAI_CONNECT_TIMEOUT", "0.1")
    with pytest.raises(SystemExit) as ended:
        getattr(BaseAgentV2(), method)()
    shown = capsys.readouterr().err
    assert ended.value.code == 3
    assert f"error: no RabbitMQ answers at amqp://127.0.0.1:{port}/" in shown
    assert "pa55word" not in shown
