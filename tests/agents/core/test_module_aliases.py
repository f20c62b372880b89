"""Programs that put the folder `agents/` on their path, as the seed document's do: `core.x` is `agents.core.x`."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

import agents
from schemas import TaskStatus
from tests.support.agent_world import connected_client, settings_for
from tests.support.program import ended, program

ROOT = Path(agents.__file__).parent.parent

CHECK = """
import sys
sys.path.append({folder!r})
from core.base_agent_v2 import BaseAgentV2, TaskResult
import core.settings
import core
from core import ollama_pool
from core.model.access import ModelAccess
import agents.core
import agents.core.base_agent_v2
import agents.core.model.access
assert core is agents.core
assert BaseAgentV2 is agents.core.base_agent_v2.BaseAgentV2 is agents.BaseAgentV2
assert core.settings is agents.core.settings and ollama_pool is agents.core.ollama_pool
assert ModelAccess is agents.core.model.access.ModelAccess
assert agents.__file__.startswith({root!r}), agents.__file__
assert sys.path[0] != {root!r}
ours = [name for name in sys.modules if name.startswith("core.")]
assert ours and all(sys.modules[name] is sys.modules["agents." + name] for name in ours), ours
try:
    import core.nothing
except ModuleNotFoundError as error:
    print(error.name)
"""


async def result_of(tmp_path: Path, text: str, **env: str) -> tuple[int, str, str]:
    (tmp_path / "program.py").write_text(text)
    async with asyncio.timeout(50):
        code, said = await ended(sys.executable, str(tmp_path / "program.py"), cwd=tmp_path, env=env)
    return code, said.out, said.err


async def test_core_and_agents_core_are_the_same_modules_and_none_is_loaded_twice(tmp_path: Path) -> None:
    text = CHECK.format(folder=str(ROOT / "agents"), root=str(ROOT))
    assert await result_of(tmp_path, text) == (0, "agents.core.nothing\n", "")


async def test_a_copy_of_the_product_that_is_not_installed_stands_alone(tmp_path: Path) -> None:
    copy = tmp_path / "app"
    for name in ("agents", "bus", "schemas"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    uninstalled = f"import sys\nsys.path[:] = [entry for entry in sys.path if entry != {str(ROOT)!r}]\n"
    text = uninstalled + CHECK.format(folder=str(copy / "agents"), root=str(copy))
    assert await result_of(tmp_path, text) == (0, "agents.core.nothing\n", "")


async def test_a_copy_of_core_alone_says_what_has_to_lie_beside_it(tmp_path: Path) -> None:
    core = tmp_path / "app" / "agents" / "core"
    shutil.copytree(ROOT / "agents" / "core", core, ignore=shutil.ignore_patterns("__pycache__"))
    uninstalled = f"import sys\nsys.path[:] = [entry for entry in sys.path if entry != {str(ROOT)!r}]\n"
    text = f"{uninstalled}sys.path.append({str(core.parent)!r})\nfrom core.base_agent_v2 import BaseAgentV2\n"
    code, out, err = await result_of(tmp_path, text)
    assert (code, out) == (1, "")
    assert err.endswith("stands on bus/ and schemas/: copy both beside agents/, or install all\n")


async def test_a_core_of_a_house_is_left_alone_though_ours_is_installed(tmp_path: Path) -> None:
    (tmp_path / "house" / "core").mkdir(parents=True)
    (tmp_path / "house" / "core" / "__init__.py").write_text("")
    (tmp_path / "house" / "core" / "settings.py").write_text("VALUE = 6\n")
    front = f"import sys, agents\nsys.path.insert(0, {str(tmp_path / 'house')!r})\n"
    text = f"{front}from core.settings import VALUE\nprint(VALUE)\n"
    assert await result_of(tmp_path, text) == (0, "6\n", "")


AGENT = """
import sys
sys.path.append({folder!r})
from core.base_agent_v2 import BaseAgentV2, TaskResult


class MyAgent(BaseAgentV2):
    async def process_task(self, task):
        return TaskResult(task_id=task["id"], status="completed", result={{"echo": task["prompt"]}})


if __name__ == "__main__":
    agent = MyAgent()
    agent.run()
"""


@pytest.mark.parametrize("folder", [str(ROOT / "agents")])
async def test_an_agent_file_of_the_seed_runs_as_a_program(folder: str, vhost_url: str, tmp_path: Path) -> None:
    path = tmp_path / "my-agent" / "app.py"
    path.parent.mkdir()
    path.write_text(AGENT.format(folder=folder))
    env = {"AMQP_URL": vhost_url, "SUTAZAI_GRACE_PERIOD": "1", "PATH": os.environ["PATH"]}
    async with (
        connected_client(settings_for(vhost_url)) as client,
        program(sys.executable, str(path), env=env, cwd=tmp_path) as running,
    ):
        await running.says("host.started")
        result = await client.ask("my-agent", "Hi", timeout=20)
        running.send(signal.SIGTERM)
        assert await running.ends() == 0
    assert (result.status, result.result) == (TaskStatus.COMPLETED, {"echo": "Hi"})
    assert "Traceback" not in running.err
